package backup_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millimetric/engine/backup"
	"millimetric/engine/backup/backuptest"
	"millimetric/engine/enginetest"
)

// gatewayModule is a server of S3's protocol over a folder. It is built when it is needed, from the module proxy,
// and so is no requirement of this module.
const gatewayModule = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// gatewayVariable has the server built and used where it is set.
const gatewayVariable = "MILLIMETRIC_S3"

const (
	bucket    = "backups"
	accessKey = "test-access"
	secretKey = "test-secret-of-some-length"
)

// startGateway builds and starts the server, and returns its address.
func startGateway(t *testing.T) string {
	t.Helper()
	if !enginetest.Full() && os.Getenv(gatewayVariable) == "" {
		t.Skip("NOT RUN: building the server of S3's protocol takes five minutes of a processor; make s3 does it")
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "install", gatewayModule)
	build.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", gatewayModule, err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	root := filepath.Join(dir, "objects")
	for _, folder := range []string{filepath.Join(root, bucket), filepath.Join(dir, "meta")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(filepath.Join(dir, "versitygw"), "--port", address, "--access", accessKey, "--secret", secretKey, "--quiet",
		"posix", "--sidecar", filepath.Join(dir, "meta"), root)
	server.Stdout, server.Stderr = os.Stderr, os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for range 100 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the server doesn't listen")
	return ""
}

func bucketTarget(t *testing.T, address, prefix string) *backup.S3 {
	t.Helper()
	target, err := backup.NewS3(backup.S3Options{Endpoint: "http://" + address, Region: "us-east-1", Bucket: bucket, Prefix: prefix,
		AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// cutter passes connections on, and cuts some of them in the middle.
type cutter struct {
	ln   net.Listener
	to   string
	all  sync.WaitGroup
	left atomic.Int64 // connections that are still to be cut; -1 for all
	up   atomic.Int64 // after so many bytes to the server, or
	down atomic.Int64 // from it; 0 for never
	cuts atomic.Int64
}

func startCutter(t *testing.T, to string) *cutter {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{ln: ln, to: to}
	c.all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.pass(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
	})
	return c
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	cut := func() {
		c.cuts.Add(1)
		_ = client.Close()
		_ = server.Close()
	}
	var both sync.WaitGroup
	both.Go(func() { c.copy(server, client, &c.up, cut) })
	both.Go(func() { c.copy(client, server, &c.down, cut) })
	both.Wait()
}

func (c *cutter) copy(to, from net.Conn, limit *atomic.Int64, cut func()) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 16<<10)
	passed := int64(0)
	for {
		n, err := from.Read(buf)
		passed += int64(n)
		if most := limit.Load(); most > 0 && passed > most && c.left.Load() != 0 {
			if c.left.Load() > 0 {
				c.left.Add(-1)
			}
			cut()
			return
		}
		if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
}

// The whole way against a real server, with connections cut in the middle of uploads and of a restore.
func TestABucketIsATarget(t *testing.T) {
	address := startGateway(t)
	t.Run("suite", func(t *testing.T) { backuptest.Target(t, bucketTarget(t, address, "suite")) })
	t.Run("a bucket that isn't there", func(t *testing.T) {
		target, err := backup.NewS3(backup.S3Options{Endpoint: "http://" + address, Bucket: "none", AccessKey: accessKey, SecretKey: secretKey})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Open(context.Background(), target, backup.NewKey()); err == nil {
			t.Error("it can be opened")
		}
	})
	t.Run("cut", func(t *testing.T) { cutConnections(t, address) })
}

func cutConnections(t *testing.T, address string) {
	seed := enginetest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 11))
	cut := startCutter(t, address)
	r := newRig(t, bucketTarget(t, cut.ln.Addr().String(), "cut"))
	r.send(rng, 1, 5)
	r.base()
	failed := 0
	for range 6 {
		for range 20 {
			r.sendLarge(rng, 1, 30)
		}
		cut.up.Store(1 + rng.Int64N(150_000))
		cut.left.Store(4) // one more than the client tries by itself
		for r.b.Ship(context.Background()) != nil {
			failed++
		}
		if rng.IntN(2) == 0 {
			r.must(r.engine.Compact(context.Background()))
			cut.left.Store(4)
			for {
				if _, err := r.b.Base(context.Background()); err == nil {
					break
				}
				failed++
			}
		}
	}
	cut.up.Store(0)
	if failed == 0 || cut.cuts.Load() < 10 {
		t.Errorf("seed=%d: %d connections were cut, and %d copies failed", seed, cut.cuts.Load(), failed)
	}
	if report, err := r.archive().Verify(context.Background(), ""); err != nil || !report.OK() {
		t.Fatalf("seed=%d: %+v, %v", seed, report, err)
	}
	r.cutRestores(rng, cut, seed)
	enginetest.Say(t, "R14", "cut connections=%d failed copies=%d", cut.cuts.Load(), failed)
}

// cutRestores restores while connections are cut: a few times, which must not matter, and then all of them.
func (r *rig) cutRestores(rng *rand.Rand, cut *cutter, seed uint64) {
	r.t.Helper()
	end := r.positions[len(r.positions)-1]
	a := r.archive()
	before := cut.cuts.Load()
	cut.down.Store(100_000 + rng.Int64N(50_000))
	cut.left.Store(2)
	e, _, err := r.restore(a, backup.Point{})
	if err != nil {
		r.t.Fatalf("seed=%d: a restore whose connections were cut twice: %v", seed, err)
	}
	if err := errors.Join(r.compare(e, end, 1), e.Close()); err != nil {
		r.t.Errorf("seed=%d: %v", seed, err)
	}
	if cut.cuts.Load() == before {
		r.t.Errorf("seed=%d: nothing was cut during the restore", seed)
	}
	cut.left.Store(-1)
	dir := filepath.Join(r.t.TempDir(), "store")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := a.Restore(ctx, backup.Point{}, dir, r.options(r.ring)); err == nil {
		r.t.Errorf("seed=%d: a restore succeeded of which every connection was cut", seed)
	}
	cut.left.Store(0)
}
