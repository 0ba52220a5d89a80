package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// PassphraseVariable names the environment variable with the passphrase. A flag would show it to everyone who
// can list processes.
const PassphraseVariable = "MILLIMETRIC_PASSPHRASE"

type usageError struct{ error }

// ExitCode is the status with which the process exits.
func (usageError) ExitCode() int { return 2 }

// SecretFlag gives cmd the flag that names a key, and returns what reads the secret.
func SecretFlag(cmd *cobra.Command) (read func() (Secret, error)) {
	file := cmd.Flags().String("key-file", "", "file with a key: 32 random bytes as base64, in the place of a passphrase")
	return func() (Secret, error) {
		secret := Secret{Passphrase: os.Getenv(PassphraseVariable)}
		if *file != "" {
			text, err := os.ReadFile(*file)
			if err != nil {
				return Secret{}, err
			}
			secret.Passphrase = ""
			if secret.Key, err = ParseKey(strings.TrimSpace(string(text))); err != nil {
				return Secret{}, fmt.Errorf("read %s: %w", *file, err)
			}
		}
		if err := secret.Check(); err != nil {
			return Secret{}, usageError{fmt.Errorf("%w: set %s, or name a --key-file", err, PassphraseVariable)}
		}
		return secret, nil
	}
}

// Command returns the commands that read archives. They ask no server.
func Command() *cobra.Command {
	cmd := &cobra.Command{Use: "archive", Short: "Verify or unpack the archive of a project", Args: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command %q; see %s --help", args[0], cmd.CommandPath())}
		}
		return nil
	}, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	verify := &cobra.Command{Use: "verify FILE", Short: "Decrypt an archive, and check the hash of each part; nothing is written"}
	reading(verify, func(file *os.File, secret Secret) (Contents, error) { return Read(file, secret, nil) })
	unpack := &cobra.Command{Use: "unpack FILE", Short: "Unpack an archive into a new folder, with all that verify checks"}
	out := unpack.Flags().String("out", "", "folder to make")
	reading(unpack, func(file *os.File, secret Secret) (Contents, error) {
		if *out == "" {
			return Contents{}, usageError{errors.New("--out is required")}
		}
		return Unpack(file, secret, *out)
	})
	cmd.AddCommand(verify, unpack)
	return cmd
}

// reading makes cmd one that reads an archive.
func reading(cmd *cobra.Command, read func(*os.File, Secret) (Contents, error)) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("name one file; see %s --help", cmd.CommandPath())}
		}
		return nil
	}
	secret := SecretFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print what was found as JSON")
	cmd.Long = cmd.Short + ".\n\nThe passphrase is taken from the environment variable " + PassphraseVariable + "."
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		with, err := secret()
		if err != nil {
			return err
		}
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close() // nothing was written
		found, err := read(file, with)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(found)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is whole: %d parts with %d bytes\n", args[0], found.Parts, found.Bytes)
		return err
	}
}
