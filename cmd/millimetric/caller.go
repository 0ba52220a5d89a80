package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
	"millimetric/ingest"
)

const (
	headerImport = "Millimetric-Import"
	importIDMax  = 64
	// hopsMax bounds the walk along X-Forwarded-For.
	hopsMax = 32
)

// caller says who sends events: for which site, from where, and as part of which import. ends
// reports that the import ends with this request.
func (s *server) caller(ctx *fasthttp.RequestCtx, grant auth.Grant) (caller ingest.Caller, ends bool, err error) {
	if caller, err = s.bareCaller(grant); err != nil {
		return caller, false, err
	}
	if !caller.Server {
		caller.Addr = s.clientAddr(ctx)
		caller.Agent = textOf(ctx.UserAgent())
		caller.Private = asksForPrivacy(&ctx.Request.Header, &grant.Project.Settings)
		return caller, false, nil
	}
	id, ends, err := parseImport(string(ctx.Request.Header.Peek(headerImport)))
	if err != nil || id == "" {
		return caller, false, err
	}
	// The project's number is part of the name: nobody may end the import of another project.
	caller.Import = fmt.Sprintf("%d/%s", grant.Project.Number, id)
	return caller, ends, nil
}

// asksForPrivacy reports whether a visitor's browser says that they don't want to be followed. A server's
// headers say nothing about its visitors.
func asksForPrivacy(header *fasthttp.RequestHeader, settings *auth.Settings) bool {
	return !settings.IgnoreGPC && string(header.Peek("Sec-GPC")) == "1" ||
		!settings.IgnoreDNT && string(header.Peek("DNT")) == "1"
}

// bareCaller is what the key alone says about who sends events.
func (s *server) bareCaller(grant auth.Grant) (ingest.Caller, error) {
	project := grant.Project
	key, err := s.ring.ProjectKey(project.Number)
	if err != nil {
		return ingest.Caller{}, err
	}
	return ingest.Caller{
		Site: ingest.Site{
			Project: project.Number, Key: key,
			Cookieless: project.Settings.Cookieless, InternalHosts: project.Settings.InternalHosts,
			AllowedParams: project.Settings.AllowedParams, AllowedProperties: project.Settings.AllowedProperties,
			Oldest: s.oldest(project.Number),
		},
		Server: grant.Kind == auth.KindSecret,
	}, nil
}

// parseImport reads "id" or "id; end".
func parseImport(header string) (id string, ends bool, err error) {
	id, rest, more := strings.Cut(header, ";")
	id, rest = strings.TrimSpace(id), strings.TrimSpace(rest)
	if header == "" {
		return "", false, nil
	}
	plain := !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-')
	})
	if id == "" || len(id) > importIDMax || !plain || more && rest != "end" {
		return "", false, event.Invalid(event.CodeInvalidPayload,
			fmt.Sprintf("%s must be 1 to %d of the characters A-Z, a-z, 0-9, _ and -, then \"; end\" with the last request", headerImport, importIDMax))
	}
	return id, more, nil
}

// clientAddr is the address that a request comes from. Where trusted proxies stand in between, it
// is the last address in X-Forwarded-For that isn't theirs: what stands before it is the client's
// own claim. It is invalid where a proxy doesn't say.
func (s *server) clientAddr(ctx *fasthttp.RequestCtx) netip.Addr {
	tcp, ok := ctx.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr, ok := netip.AddrFromSlice(tcp.IP)
	addr = addr.Unmap()
	if !ok || !s.trusts(addr) {
		return addr
	}
	var hops []string
	for _, header := range ctx.Request.Header.PeekAll("X-Forwarded-For") {
		hops = append(hops, strings.Split(textOf(header), ",")...)
	}
	if len(hops) == 0 {
		return netip.Addr{}
	}
	for i, hop := range slices.Backward(hops) {
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok || len(hops)-i > hopsMax {
			return netip.Addr{}
		}
		addr = next
		if !s.trusts(addr) {
			break
		}
	}
	return addr
}

func (s *server) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// parseHop reads an address, with or without a port.
func parseHop(text string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
