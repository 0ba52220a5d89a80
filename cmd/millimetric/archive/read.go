package archive

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Contents is what an archive was found to hold.
type Contents struct {
	Parts int   `json:"parts"`
	Bytes int64 `json:"bytes"`
}

const (
	// sumsMax bounds the list of hashes: a part a day for a century and several for busy ones.
	sumsMax = 64 << 20
	// partMax is far above what one part has.
	partMax = 1 << 32
)

// Read reads a whole archive and checks the hash of each part. It gives each to put, whose text is only right
// once Read returns no error; nil only checks.
func Read(r io.Reader, secret Secret, put func(name string, content io.Reader) error) (Contents, error) {
	plain, err := decrypt(r, secret)
	if err != nil {
		return Contents{}, err
	}
	in := tar.NewReader(plain)
	var found Contents
	sums := map[string]string{}
	for {
		head, err := in.Next()
		if err != nil {
			// A tar may end anywhere; ours ends behind its hashes.
			return found, broken(err)
		}
		if head.Name == sumsName {
			break
		}
		if _, twice := sums[head.Name]; twice || head.Typeflag != tar.TypeReg || head.Size > partMax || !filepath.IsLocal(filepath.FromSlash(head.Name)) {
			return found, fmt.Errorf("the archive has a part %q, which can't be", head.Name)
		}
		if sums[head.Name], err = readPart(in, head.Name, put); err != nil {
			return found, err
		}
		found.Parts++
		found.Bytes += head.Size
	}
	if err := compare(in, sums); err != nil {
		return found, err
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) {
		return found, errors.New("something stands behind the hashes of the archive")
	}
	// The tag of the last segment says that nothing was cut off.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return found, broken(err)
	}
	return found, nil
}

func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the archive lacks its end")
	}
	return fmt.Errorf("the archive can't be read: the passphrase or key is another one, or the file was changed or cut: %w", err)
}

func readPart(in io.Reader, name string, put func(string, io.Reader) error) (sum string, err error) {
	digest := sha256.New()
	content := io.TeeReader(in, digest)
	if put != nil {
		if err := put(name, content); err != nil {
			return "", err
		}
	}
	if _, err := io.Copy(io.Discard, content); err != nil { // what put left
		return "", broken(err)
	}
	return fmt.Sprintf("%x", digest.Sum(nil)), nil
}

// compare holds the parts that were read against the list of hashes.
func compare(list io.Reader, sums map[string]string) error {
	lines := bufio.NewScanner(io.LimitReader(list, sumsMax))
	listed := 0
	for lines.Scan() {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		if got, ok := sums[name]; !ok || got != sum {
			return fmt.Errorf("part %q isn't what the archive's hashes say", name)
		}
		listed++
	}
	if err := lines.Err(); err != nil {
		return broken(err)
	}
	if listed != len(sums) {
		return fmt.Errorf("the archive has %d parts, and hashes of %d", len(sums), listed)
	}
	return nil
}

// Unpack unpacks an archive into a folder that isn't there yet. What was unpacked before an error stays, so
// that it can be looked at, in a folder whose name ends in .partial.
func Unpack(r io.Reader, secret Secret, dir string) (Contents, error) {
	if _, err := os.Lstat(dir); err == nil {
		return Contents{}, fmt.Errorf("%s is there already", dir)
	}
	partial := dir + ".partial"
	if err := os.Mkdir(partial, 0o700); err != nil {
		return Contents{}, err
	}
	found, err := Read(r, secret, func(name string, content io.Reader) error {
		to := filepath.Join(partial, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, content); err != nil {
			return errors.Join(broken(err), file.Close())
		}
		return errors.Join(file.Sync(), file.Close())
	})
	if err != nil {
		return found, err
	}
	return found, os.Rename(partial, dir)
}
