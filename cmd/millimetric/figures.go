package main

import (
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/metrics"
)

// routeUnknown stands for the route of requests that have none.
const routeUnknown = "unknown"

// figuresOf finds the figures of all routes, by name.
func figuresOf(set *metrics.Set, table []route) map[string]*metrics.Route {
	all := map[string]*metrics.Route{routeUnknown: set.Route(routeUnknown)}
	for _, r := range table {
		if all[r.name] == nil {
			all[r.name] = set.Route(r.name)
		}
	}
	return all
}

// watch has the figures show what the server and its caches hold.
func (s *server) watch(f *folder) {
	f.figures.WatchCache("memo", s.api.Memo.Counts)
	f.figures.WatchCache("pieces", f.engine.CacheCounts)
	f.figures.WatchGauge("connections", "Connections that are open.", func() float64 { return float64(s.open.Load()) })
	f.figures.WatchGauge("questions_under_way", "Questions under way.", func() float64 { return float64(s.reading.Load()) })
	f.figures.WatchGauge("bodies_bytes", "What larger bodies of requests under way need, in bytes.", func() float64 { return float64(s.room.used.Load()) })
	f.figures.WatchGauge("bodies_limit_bytes", "What they may need.", func() float64 { return float64(s.room.most) })
}

// userRoute is where a request notes the figures of its route.
const userRoute = "figures of the route"

// count counts an answered request.
func (s *server) count(ctx *fasthttp.RequestCtx, began time.Time) {
	figures, ok := ctx.UserValue(userRoute).(*metrics.Route)
	if !ok {
		figures = s.figures[routeUnknown]
	}
	figures.Answered(ctx.Response.StatusCode(), time.Since(began))
}

// metrics answers with the server's figures: without a key to programs on this machine itself, and to
// others with an account key. How much a site is used is nobody else's business.
func (s *server) metrics(ctx *fasthttp.RequestCtx, _ auth.Grant) error {
	if !s.isHere(ctx) {
		if _, err := s.check(&ctx.Request.Header, route{name: "metrics", kinds: adminKinds()}); err != nil {
			return err
		}
	}
	text, media, err := s.set.Text()
	if err != nil {
		return err
	}
	ctx.SetContentType(media)
	ctx.SetBody(text)
	return nil
}

// isHere tells whether a request comes from this machine, and for nobody else: a proxy on it says so.
func (s *server) isHere(ctx *fasthttp.RequestCtx) bool {
	tcp, ok := ctx.RemoteAddr().(*net.TCPAddr)
	h := &ctx.Request.Header
	passedOn := len(h.Peek("X-Forwarded-For"))+len(h.Peek("Forwarded"))+len(h.Peek("Via"))+len(h.Peek("X-Real-Ip")) > 0
	return ok && tcp.IP.IsLoopback() && !passedOn
}
