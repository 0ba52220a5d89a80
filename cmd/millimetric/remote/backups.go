package remote

import (
	"context"
	"net/url"

	"millimetric/cmd/millimetric/admin"
	"millimetric/engine/backup"
)

// Backups lists the backups of a server.
func Backups(ctx context.Context, s Server) (admin.BackupList, error) {
	return ask[admin.BackupList](ctx, s, "GET", "/v1/admin/backups", nil)
}

// MakeBackup has a server make a base of its backup.
func MakeBackup(ctx context.Context, s Server) (backup.Listed, error) {
	return ask[backup.Listed](ctx, s, "POST", "/v1/admin/backups", nil)
}

// VerifyBackup has a server read a base of its backup, or all of it where base is "all", and restore it where drill
// is set.
func VerifyBackup(ctx context.Context, s Server, base string, drill bool) (admin.BackupVerdict, error) {
	return ask[admin.BackupVerdict](ctx, s, "POST", "/v1/admin/backups/"+url.PathEscape(base)+"/verify", map[string]any{"drill": drill})
}
