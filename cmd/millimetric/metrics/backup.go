package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millimetric/cmd/millimetric/admin"
	"millimetric/engine/backup"
)

// WatchBackup has the set read how the backup is going whenever it is asked for its figures. last returns the last
// drill, nil before the first.
func (s *Set) WatchBackup(status func() backup.Status, last func() *admin.Drill) {
	s.registry.MustRegister(&backups{status, last})
}

type backups struct {
	status func() backup.Status
	last   func() *admin.Drill
}

var (
	descBehind   = described("backup_behind_seconds", "For how long something has been waiting to be copied to the backup; 0 where nothing is.")
	descCopied   = described("backup_copied_timestamp_seconds", "When the backup last had all that was committed.")
	descBase     = described("backup_base_timestamp_seconds", "When the last base of the backup was made.")
	descGroup    = described("backup_group", "The last group of the log that is in the backup.")
	descWaiting  = described("backup_waiting_bytes", "Bytes in memory that wait to be copied.")
	descFailures = described("backup_failures_total", "How often copying failed and was tried again.")
	descGaps     = described("backup_gaps_total", "How often groups were trimmed from the store before they were copied.")
	descWell     = described("backup_ok", "1 while the backup goes on, 0 while it fails.")
	descObjects  = described("backup_objects", "Objects at the target.")
	descKept     = described("backup_bytes", "Bytes at the target.")
	descDrill    = described("backup_drill_ok", "1 where the last drill since the start restored what the store holds, else 0.")
	descDrilled  = described("backup_drill_timestamp_seconds", "When the last drill since the start began.")
	descTook     = described("backup_drill_seconds", "How long it took.")
)

// Describe is part of prometheus.Collector.
func (b *backups) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBehind, descCopied, descBase, descGroup, descWaiting, descFailures, descGaps, descWell,
		descObjects, descKept, descDrill, descDrilled, descTook} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (b *backups) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n)
	}
	s := b.status()
	gauge(descBehind, s.Behind)
	gauge(descCopied, seconds(s.Copied))
	gauge(descBase, seconds(s.Base))
	gauge(descGroup, float64(s.Group))
	gauge(descWaiting, float64(s.Waiting))
	out <- prometheus.MustNewConstMetric(descFailures, prometheus.CounterValue, float64(s.Failures))
	out <- prometheus.MustNewConstMetric(descGaps, prometheus.CounterValue, float64(s.Gaps))
	gauge(descWell, truth(s.Problem == ""))
	gauge(descObjects, float64(s.Objects))
	gauge(descKept, float64(s.Bytes))
	if d := b.last(); d != nil {
		gauge(descDrill, truth(d.OK))
		gauge(descDrilled, seconds(d.At))
		gauge(descTook, d.Took)
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
