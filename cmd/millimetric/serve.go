package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/archive"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/forget"
	"millimetric/cmd/millimetric/openapi"
	"millimetric/cmd/millimetric/record"
	"millimetric/cmd/millimetric/sdk"
	"millimetric/cmd/millimetric/transfer"
	"millimetric/engine"
	"millimetric/index/event"
	"millimetric/ingest"
	"millimetric/ingest/intake"
	"millimetric/query"
	"millimetric/query/api"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take events and answer questions over HTTP",
		Long: "Take events and answer questions over HTTP.\n\n" +
			"At the first start on an empty folder, an account, a project and keys are made and printed\n" +
			"once. SIGTERM and SIGINT answer what is under way, sync and exit.",
		Example: "  millimetric serve --data ./data\n  millimetric serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem",
		Args:    refuseArgs,
	}
	read := bindSettings(cmd, serveSettings)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return serve(cmd.Context(), read(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// serve joins everything: the data folder, the doors over it, and HTTP over the doors.
func serve(ctx context.Context, values settings, out, errs io.Writer) (err error) {
	log := slog.New(slog.NewTextHandler(errs, nil))
	proxies, err := parseProxies(values["trusted-proxy"])
	if err != nil {
		return err
	}
	secure, err := ownCertificate(values, log)
	if err != nil {
		return err
	}
	store, memory, err := storeOptions(values)
	if err != nil {
		return err
	}
	copies, err := newBackups(values, &store)
	if err != nil {
		return err
	}
	f, err := openFolder(folderOptions{
		Dir: values.one("data"), RootKeyFile: values.one("root-key-file"), Log: log, Now: time.Now, Engine: store,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if domains := values["acme-domain"]; len(domains) > 0 {
		if secure, err = newACME(domains, values.one("acme-directory"), f, log); err != nil {
			return err
		}
	}
	hangUps, quiet := onHangUp(secure != nil, log)
	defer quiet()
	s, err := newServer(f, proxies, log, time.Now)
	if err != nil {
		return err
	}
	s.fit(memory.all)
	s.api.Allowance = query.NewAllowance(memory.questions)
	s.api.Memo = query.NewMemo(memory.memo)
	let, err := readAgentSettings(values)
	if err != nil {
		return err
	}
	s.mcp = s.newAgents(let, time.Now)
	if err := s.rename(values.one("script-path"), values.one("collect-path")); err != nil {
		return err
	}
	if err := copies.attach(f, s, log); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", values.one("listen"))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.admin.Privacy.Measures = func() []record.Measure { return s.measures(f, secure != nil) }
	url := baseURL(ln.Addr(), secure != nil)
	if domains := values["acme-domain"]; len(domains) > 0 {
		url = "https://" + domains[0] // the only name under which there is a certificate
	}
	if err := f.welcome(ctx, url, out); err != nil {
		return errors.Join(err, ln.Close())
	}
	dir, _ := filepath.Abs(f.dir)
	log.Info("listening", "url", url, "data", dir)
	if secure == nil && !isLoopback(ln.Addr()) {
		log.Warn("listening beyond this machine without TLS: keys and events travel in the clear unless a proxy in front encrypts them")
	}
	var upkeep sync.WaitGroup
	stopped, stop := context.WithCancel(ctx)
	upkeep.Go(func() { f.keepUp(stopped, s.salts, log) })
	upkeep.Go(func() {
		s.admin.ResumeReclassifying(stopped, upkeepEvery, func(project string, err error) {
			log.Error("the sources of a project could not be told anew; trying again in a minute", "project", project, "cause", err)
		})
	})
	if secure != nil {
		upkeep.Go(func() { secure.keepUp(stopped, hangUps) })
	}
	upkeep.Go(func() { copies.run(stopped) })
	upkeep.Go(func() { keepHeap(stopped, memory.all) })
	err = s.serve(ctx, ln, secure)
	stop()
	upkeep.Wait()
	log.Info("stopped")
	return err
}

// memoBytes is what questions may leave to later ones where nobody says how much memory there is: the
// visitors of some months of a busy site, an eighth of a byte for each event.
const memoBytes = 8 << 20

// newServer puts the doors over an open folder.
func newServer(f *folder, proxies []netip.Prefix, log *slog.Logger, now func() time.Time) (*server, error) {
	salts := &saltMemo{ring: f.ring, now: now}
	pipeline, err := ingest.New(ingest.Options{Appender: f.figures.Timed(f.engine, time.Now), Salts: salts, Now: now})
	if err != nil {
		return nil, fmt.Errorf("make pipeline: %w", err)
	}
	signer, err := f.signer()
	if err != nil {
		return nil, err
	}
	running, giveUp := context.WithCancel(context.Background())
	s := &server{
		giveUp: giveUp,
		admin:  &admin.Door{Book: f.book, Engine: f.engine, Audit: f.audit, Now: now, Running: running, Forget: f.ring.DropProjectKey, Routes: namedRoutes(), Signer: signer},
		forget: &forget.Door{Book: f.book, Engine: f.engine, Signer: signer, Running: running},
		audit:  f.audit,
		rates:  &rates{now: now},
		book:   f.book,
		ring:   f.ring,
		salts:  salts,
		intake: &intake.Door{Pipeline: pipeline},
		api: &api.Door{
			Snapshot: func(p event.Project) query.Source { return f.snapshot(p) }, Now: now, Zone: f.book.Zone, Gone: isGone,
			// Half of the processors are enough for questions, and leave the other half to what comes in.
			Turns: api.NewTurns(runtime.GOMAXPROCS(0)/2, now),
			// Who asks alone may have the other half, too, while nothing else needs it.
			Workers: query.NewWorkers(runtime.GOMAXPROCS(0), query.WorkerRows),
			Memo:    query.NewMemo(memoBytes),
		},
		ready:   f.engine.Ready,
		oldest:  f.engine.Oldest,
		set:     f.figures,
		proxies: proxies,
		log:     log,
	}
	s.api.Answered = f.figures.Asked
	s.admin.Privacy = admin.PrivacySources{Version: thisBuild().Version, Measures: func() []record.Measure { return s.measures(f, false) }}
	s.transfer = transfer.NewDoor(running, now, log)
	s.admin.Return = func(ctx *fasthttp.RequestCtx, project event.Project, about any, done func(func([]byte) error) error, secret archive.Secret) error {
		return s.transfer.Return(ctx, s.api, project, transfer.About{Project: about, Done: done}, secret)
	}
	f.figures.Watch(f.engine, f.engine.Ready)
	s.watch(f)
	s.mcp = s.newAgents(agentSettings{}, now)
	if s.document, err = openapi.Document(describedRoutes(), thisBuild().Version); err != nil {
		return nil, fmt.Errorf("describe the routes: %w", err)
	}
	if s.script, err = newPageScript(sdk.DefaultCollect); err != nil {
		return nil, err
	}
	s.prepare()
	return s, nil
}

// upkeepEvery is how long a salt may outlive its day while nothing is asked of the keyring, and
// what of the keys' last use a crash may lose.
const upkeepEvery = time.Minute

// keepUp does every minute what no request waits for.
func (f *folder) keepUp(ctx context.Context, salts *saltMemo, log *slog.Logger) {
	ticker := time.NewTicker(upkeepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		salts.drop()
		if err := f.ring.Rotate(); err != nil {
			log.Error("salts whose time is over could not be destroyed; trying again in a minute", "cause", err)
		}
		if err := f.audit.Upkeep(ctx, false); err != nil && ctx.Err() == nil {
			log.Warn("the audit log could not be kept up; trying again in a minute", "cause", err)
		}
		if f.engine.Ready() != nil {
			continue // on a disk that is full, nothing is written that can wait
		}
		if err := f.book.Flush(ctx); err != nil && ctx.Err() == nil {
			log.Warn("the last use of keys could not be noted; trying again in a minute", "cause", err)
		}
	}
}

// welcome makes a first account and project in an empty folder, and shows their keys.
func (f *folder) welcome(ctx context.Context, url string, out io.Writer) error {
	if len(f.book.Accounts()) > 0 || len(f.book.Lost()) > 0 {
		return nil
	}
	made, err := f.addProject(ctx, auth.NewProject{Name: "default"})
	if err != nil {
		return err
	}
	year := made.created.Year()
	_, err = fmt.Fprintf(out, `First start. These keys are shown only now; keep them:

  publishable key (web pages)       %s
  secret key (servers)              %s
  read key (questions)              %s
  account key (all projects)        %s

Send an event:

  curl %s/v1/track -H 'Authorization: Bearer %s' -d '{"event":"signup","user_id":"ann"}'

Count events by name:

  curl '%s/v1/stats?from=%d-01-01&to=%d-01-01&group_by=event_name' -H 'Authorization: Bearer %s'

The publishable key works from no origin yet. Let the pages of a site send events:

  MILLIMETRIC_KEY=%s millimetric origins set default https://YOUR.SITE --server %s

%s`, made.PK, made.SK, made.RK, made.AK, url, made.SK, url, year, year+1, made.RK, made.AK, url, f.root.advice())
	return err
}

// storeOptions turns settings into what the engine may need of memory, and its guard against a full
// disk. It returns how all memory is divided as well.
func storeOptions(values settings) (engine.Options, shares, error) {
	bytes, err := memoryBytes(values.one("memory"))
	if err != nil {
		return engine.Options{}, shares{}, err
	}
	memory := sharesOf(bytes)
	opt := engine.Options{MemoryBytes: memory.store}
	text := values.one("min-free")
	if text == "" {
		return opt, memory, nil
	}
	n, err := parseBytes(text)
	if err != nil {
		return engine.Options{}, shares{}, err
	}
	if n == 0 {
		n = -1
	}
	opt.FreeBytesMin, opt.FreePercentMin = n, -1
	return opt, memory, nil
}

// baseURL is the address as a client on this machine would write it.
func baseURL(addr net.Addr, secure bool) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// quietLog logs warnings only: what the offline commands have to say.
func quietLog(errs io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// openOffline opens the data folder for a command that works while no server runs.
func openOffline(cmd *cobra.Command, values settings, make bool) (*folder, error) {
	dir := values.one("data")
	if !exists(dir) && !make {
		return nil, noFolder(dir)
	}
	return openFolder(offlineOptions(cmd, values))
}

func offlineOptions(cmd *cobra.Command, values settings) folderOptions {
	return folderOptions{
		Dir: values.one("data"), RootKeyFile: values.one("root-key-file"), Log: quietLog(cmd.ErrOrStderr()), Now: time.Now,
		// Keys must be revocable on a full disk.
		Engine: engine.Options{FreeBytesMin: -1, FreePercentMin: -1},
	}
}

func noFolder(dir string) error {
	return fmt.Errorf("no data folder at %s; see millimetric init --help", strings.TrimSpace(dir))
}
