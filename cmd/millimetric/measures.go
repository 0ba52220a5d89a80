package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"millimetric/cmd/millimetric/record"
)

// measures says which of the server's measures are in force, as it really runs. secure says that it speaks
// TLS itself.
func (s *server) measures(f *folder, secure bool) []record.Measure {
	where := "from the environment"
	apart := true
	if f.root.file != "" {
		where = "in a file of its own place"
		dir, errDir := filepath.Abs(f.dir)
		file, errFile := filepath.Abs(f.root.file)
		if apart = errDir == nil && errFile == nil && !strings.HasPrefix(file, dir+string(filepath.Separator)); !apart {
			where = "in the folder that it protects: move it elsewhere"
		}
	}
	tls := "not by the server itself: a proxy in front must encrypt"
	if secure {
		tls = "TLS 1.2 and 1.3"
	}
	return []record.Measure{
		{Name: "Encryption at rest", On: true, Note: "AES-256-GCM under keys by project and month or day, destroyed when their days are over"},
		{Name: "Root key apart from the data", On: apart, Note: where},
		{Name: "Encryption in transit", On: secure, Note: tls},
		{Name: "Trusted proxies", On: len(s.proxies) > 0, Note: fmt.Sprintf("%d networks may say where a request comes from", len(s.proxies))},
		{Name: "Salts of the day", On: true, Note: "random, kept encrypted, destroyed when their UTC day ends"},
		{Name: "Keys", On: true, Note: "only their hash is kept; revoked at once; each request needs one"},
		{Name: "Audit log", On: true, Note: "of every administrator's call, chained and signed"},
		{Name: "Acknowledged means durable", On: true, Note: "events are synced to disk before they are acknowledged"},
	}
}
