package remote

import (
	"context"
	"net/url"
	"strings"

	"millimetric/cmd/millimetric/admin"
)

// Compacted says what came of a compaction.
type Compacted struct {
	OK   bool    `json:"ok"`
	Took float64 `json:"took_s"`
}

// Compact has the server seal and merge all.
func Compact(ctx context.Context, s Server) (Compacted, error) {
	return ask[Compacted](ctx, s, "POST", "/v1/admin/compact", nil)
}

// Check has the server verify its store.
func Check(ctx context.Context, s Server) (admin.Checked, error) {
	return ask[admin.Checked](ctx, s, "POST", "/v1/admin/check", nil)
}

// Footprint returns what the store takes, or a project that its id or slug names.
func Footprint(ctx context.Context, s Server, project string) (admin.Footprint, error) {
	values := url.Values{}
	if strings.HasPrefix(project, "prj_") {
		values.Set("project_id", project)
	} else if project != "" {
		values.Set("project_slug", project)
	}
	return ask[admin.Footprint](ctx, s, "GET", "/v1/footprint?"+values.Encode(), nil)
}
