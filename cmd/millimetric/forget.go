package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/forget"
	"millimetric/cmd/millimetric/receipt"
	"millimetric/cmd/millimetric/remote"
	"millimetric/engine"
)

// forgetWith hands a request to the door that erases.
func forgetWith(do func(*forget.Door, *forget.Request) error) func(*server, *fasthttp.RequestCtx, auth.Grant) error {
	return func(s *server, ctx *fasthttp.RequestCtx, grant auth.Grant) error {
		return do(s.forget, &forget.Request{HTTP: ctx, Grant: grant, Note: noteOf(ctx)})
	}
}

// signer signs receipts under a key that follows from the keyring.
func (f *folder) signer() (receipt.Signer, error) { return receipt.NewSigner(f.ring.Pepper()) }

// receiptEvery is how often a receipt is asked for while somebody waits for the end of an erasure.
const receiptEvery = 200 * time.Millisecond

func forgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "forget",
		Short:   "Erase all events of a user or a visitor, and print the receipt",
		Example: "  millimetric forget --user ann --project shop > receipt.json",
		Args:    refuseArgs,
	}
	user := cmd.Flags().String("user", "", "the user id")
	visitor := cmd.Flags().String("visitor", "", "the anonymous id")
	project := cmd.Flags().String("project", "", "id, slug or name of the project; not needed where there is one only")
	wait := cmd.Flags().Duration("wait", time.Minute, "how long to wait until nothing is left on the server's disk")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if (*user == "") == (*visitor == "") {
			return usageError{errors.New("either --user or --visitor must be given")}
		}
		return nil
	}
	offline := func(cmd *cobra.Command, f *folder, _ []string) (any, error) {
		return f.forgetPerson(cmd.Context(), engine.Person{UserID: *user, AnonymousID: *visitor}, *project)
	}
	return either(cmd, printReceipt, inFolder(offline), func(cmd *cobra.Command, s remote.Server, _ []string) (any, error) {
		body := map[string]any{"user_id": *user}
		if *user == "" {
			body = map[string]any{"anonymous_id": *visitor}
		}
		asked, err := remote.Forget(cmd.Context(), s, *project, body)
		if err != nil {
			return nil, err
		}
		return awaitReceipt(cmd.Context(), s, asked.Receipt, *wait)
	})
}

// awaitReceipt asks for a receipt until it says that nothing is left, but not for longer than somebody
// waits.
func awaitReceipt(ctx context.Context, s remote.Server, id string, wait time.Duration) (json.RawMessage, error) {
	for waited := time.Duration(0); ; waited += receiptEvery {
		text, err := remote.Receipt(ctx, s, id)
		if err != nil {
			return nil, err
		}
		var r receipt.Receipt
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("read the receipt: %w", err)
		}
		if r.Status == receipt.StatusErased || waited >= wait {
			return text, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(receiptEvery):
		}
	}
}

// forgetPerson erases somebody in a folder that no server has open, and waits until nothing is left.
func (f *folder) forgetPerson(ctx context.Context, who engine.Person, project string) (json.RawMessage, error) {
	account, err := onlyAccount(f.book)
	if err != nil {
		return nil, err
	}
	p, err := pickProject(f.book, account.ID, project)
	if err != nil {
		return nil, err
	}
	x, err := f.engine.Erase(ctx, p.Number, who)
	if err != nil {
		return nil, err
	}
	if _, err := f.engine.FinishErasures(ctx); err != nil {
		return nil, err
	}
	detail, err := json.Marshal(map[string]any{"receipt": x.Receipt, "kind": x.Kind, "events": x.Events})
	if err != nil {
		return nil, err
	}
	if err := f.note(ctx, audit.Entry{Action: "forget", Project: p.ID, Detail: detail}); err != nil {
		return nil, err
	}
	return f.receipt(x.Receipt)
}

// receipt returns a receipt, signed.
func (f *folder) receipt(id string) (json.RawMessage, error) {
	x, err := f.engine.Erasure(id)
	if err != nil {
		return nil, err
	}
	signer, err := f.signer()
	if err != nil {
		return nil, err
	}
	project := ""
	for _, p := range f.book.AllProjects() {
		if p.Number == x.Project {
			project = p.ID
		}
	}
	return signer.Sign(receipt.Of(x, project))
}

// printReceipt prints a receipt as it was signed: another byte, and it couldn't be verified.
func printReceipt(out io.Writer, result any) error {
	_, err := fmt.Fprintf(out, "%s\n", result.(json.RawMessage))
	return err
}

func receiptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receipt",
		Short: "Get and verify receipts of erasures",
		Args:  refuseArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(receiptGetCommand(), receiptVerifyCommand(), receiptKeyCommand())
	return cmd
}

func receiptGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get RECEIPT",
		Short:   "Print a receipt as it is now",
		Example: "  millimetric receipt get 5c1f… > receipt.json",
		Args:    oneArgument("RECEIPT"),
	}
	offline := inFolder(func(_ *cobra.Command, f *folder, args []string) (any, error) { return f.receipt(args[0]) })
	return either(cmd, printReceipt, offline, func(cmd *cobra.Command, s remote.Server, args []string) (any, error) {
		text, err := remote.Receipt(cmd.Context(), s, args[0])
		return json.RawMessage(text), err
	})
}

func oneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("expected %s; see %s --help", name, cmd.CommandPath())}
		}
		return nil
	}
}

// receiptBytesMax bounds what is read of a file that is said to be a receipt.
const receiptBytesMax = 1 << 20

func receiptVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Tell whether a receipt is as the server signed it",
		Long: "Tell whether a receipt is as the server signed it, without asking the server.\n\n" +
			"FILE - is standard input. The public key is what \"millimetric receipt key\" prints where the server's data is.",
		Example: "  millimetric receipt verify receipt.json --key 3f0a…",
		Args:    oneArgument("FILE"),
	}
	key := cmd.Flags().String("key", "", "the server's public key, 64 hex digits")
	_ = cmd.MarkFlagRequired("key")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		in := cmd.InOrStdin()
		if args[0] != "-" {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close() // nothing was written
			in = file
		}
		text, err := io.ReadAll(io.LimitReader(in, receiptBytesMax))
		if err != nil {
			return fmt.Errorf("read %s: %w", args[0], err)
		}
		r, err := receipt.Verify(text, *key)
		if err != nil {
			return err
		}
		erased := "not yet"
		if r.ErasedAt != nil {
			erased = r.ErasedAt.Format(time.RFC3339)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "the receipt is as it was signed: %d events of a %s, requested %s, nothing left in the store: %s\n",
			r.Events, r.Subject.Kind, r.RequestedAt.Format(time.RFC3339), erased)
		return err
	}
	return cmd
}

func receiptKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "key",
		Short:   "Print the public key under which receipts are signed",
		Example: "  millimetric receipt key --data ./data",
		Args:    refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingFolder, settingRootKey})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := openOffline(cmd, read(), false)
		if err != nil {
			return err
		}
		signer, err := f.signer()
		if err == nil {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), signer.Public())
		}
		return errors.Join(err, f.close())
	}
	return cmd
}
