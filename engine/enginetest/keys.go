package enginetest

import (
	"crypto/sha256"
	"fmt"

	"millimetric/index/event"
)

// CipherKey gives each project and bucket a cipher key, the same one in every process.
func CipherKey(project event.Project, bucket int32) ([32]byte, error) {
	return sha256.Sum256(fmt.Appendf(nil, "cipher key of tests %d/%d", project, bucket)), nil
}
