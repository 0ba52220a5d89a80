package metrics

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"millimetric/engine"
)

// store reads the figures of the store when they are asked for.
type store struct {
	engine *engine.Engine
	ready  func() error
}

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

var (
	descEvents   = described("store_events", "Events that are kept, live ones and sealed ones.", "state")
	descSegments = described("store_segments", "Segments.")
	descBytes    = described("store_bytes", "Bytes on disk, by part.", "part")
	descDisk     = described("store_disk_bytes", "Bytes of all files of the store, what isn't deleted yet included.")
	descMemory   = described("store_memory_bytes", "Memory by part; pieces read are the cache of what was decrypted.", "part")
	descLimit    = described("store_memory_limit_bytes", "Memory that the store was given.")
	descReady    = described("store_ready", "1 while events are taken, 0 while they are refused.")
)

// Describe is part of prometheus.Collector.
func (s *store) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descSegments, descBytes, descDisk, descMemory, descLimit, descReady} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (s *store) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	f := s.engine.Footprint(0)
	gauge(descEvents, f.Live.Count, "live")
	gauge(descEvents, f.Sealed, "sealed")
	gauge(descSegments, f.Segments.Count)
	gauge(descBytes, f.Log.Bytes, "log")
	for part, n := range f.Parts {
		gauge(descBytes, n, part)
	}
	gauge(descDisk, f.Disk)
	for part, n := range f.Memory {
		gauge(descMemory, n, part)
	}
	gauge(descLimit, f.MemoryMost)
	ready := uint64(1)
	if s.ready() != nil {
		ready = 0
	}
	gauge(descReady, ready)
}

// Text writes all figures in Prometheus's text format, and returns its media type.
func (s *Set) Text() (text []byte, media string, err error) {
	request, err := http.NewRequest(http.MethodGet, "/metrics", nil)
	if err != nil {
		return nil, "", fmt.Errorf("write figures: %w", err)
	}
	var page recorder
	promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(&page, request)
	if page.status >= http.StatusBadRequest {
		return nil, "", fmt.Errorf("write figures: %s", page.text.Bytes())
	}
	return page.text.Bytes(), page.Header().Get("Content-Type"), nil
}

// recorder holds what the library writes.
type recorder struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) { return r.text.Write(p) }
