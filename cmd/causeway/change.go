package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// A change is what every command does that changes who may write what: it
// signs statements here, asks the node what they would do, shows that, and has
// them carried once somebody agrees.
type change struct {
	std      stdio
	dir      *string
	out      *format
	operator *operatorFlags
	as       string
	dryRun   bool
	yes      bool
}

// newChange adds the flags that all such commands have.
func newChange(c *cobra.Command, std stdio) *change {
	ch := &change{std: std, dir: dataDirFlag(c), out: outputFlag(c), operator: newOperatorFlags(c, std, "")}
	c.Flags().StringVar(&ch.as, "as", "", `as whom: the name or ID of an operator, or "root" for a founder's vote (default: whoever of these may do it)`)
	c.Flags().BoolVar(&ch.dryRun, "dry-run", false, "show what it would do, and do nothing")
	c.Flags().BoolVar(&ch.yes, "yes", false, "do it without asking")
	return ch
}

// draft is a statement still to be signed.
type draft struct {
	content    identity.Content
	supersedes []identity.StatementID
}

// site is the node that statements are made for, and who makes them.
type site struct {
	client *admin.Client
	roster admin.Roster
	issuer admin.Issuer
	signer identity.StatementSigner
}

// open asks the node for its roster and the operator for the key.
func (ch *change) open(cmd *cobra.Command) (*site, error) {
	if err := checkDataDir(*ch.dir); err != nil {
		return nil, err
	}
	s := &site{client: admin.NewClient(*ch.dir)}
	var err error
	if s.roster, err = s.client.Roster(cmd.Context()); err != nil { // before a passphrase is asked for
		return nil, err
	}
	if s.signer, err = operatorSigner(cmd.Context(), ch.operator, *ch.dir); err != nil {
		return nil, err
	}
	s.issuer, err = s.client.Issuer(cmd.Context(), s.signer.Public())
	return s, err
}

// changed is what such a command prints.
type changed struct {
	Statements []identity.StatementID `json:"statements"` // those made
	Op         *dag.ID                `json:"op"`         // that carries them; null after --dry-run
	Preview    admin.Preview          `json:"preview"`
}

// make signs the drafts as that operator, nil for the root, shows what they would
// do and has them carried.
func (ch *change) make(cmd *cobra.Command, s *site, as *identity.StatementID, drafts ...draft) (changed, error) {
	var done changed
	mesh := [32]byte(s.issuer.Mesh)
	seq, prev := s.issuer.Seq, s.issuer.Prev
	var statements []*identity.Statement
	for _, d := range drafts {
		st, err := identity.SignStatement(identity.Statement{
			Mesh: &mesh, Issuer: s.issuer.Key, As: as, Seq: seq, Prev: prev, Supersedes: d.supersedes, Content: d.content,
		}, s.signer)
		if err != nil {
			return changed{}, err
		}
		id := st.ID()
		seq, prev = seq+1, &id
		statements = append(statements, st)
		done.Statements = append(done.Statements, id)
	}
	var err error
	if done.Preview, err = s.client.Preview(cmd.Context(), statements...); err != nil {
		return changed{}, err
	}
	if ch.dryRun {
		return done, nil
	}
	waits := as == nil && s.roster.Threshold > 1 // for the votes of other founders
	for _, e := range done.Preview.Statements {
		if !e.Stands && e.Reason != "" && !waits {
			return changed{}, fmt.Errorf("the %s would have no effect: %s", e.Kind, e.Reason)
		}
	}
	if err := ch.agree(done.Preview); err != nil {
		return changed{}, err
	}
	op, err := s.client.Carry(cmd.Context(), statements...)
	if err != nil {
		return changed{}, err
	}
	done.Op = &op
	if _, vote := drafts[0].content.(identity.Endorse); waits && !vote {
		for _, id := range done.Statements {
			fmt.Fprintf(ch.std.err, "It stands once %d founders back it: causeway member endorse %s\n", s.roster.Threshold, id)
		}
	}
	return done, nil
}

// agree shows the preview and asks whether to go on, unless --yes says so.
func (ch *change) agree(p admin.Preview) error {
	writePreview(ch.std.err, p)
	if ch.yes {
		return nil
	}
	f, ok := ch.std.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return usageError{errors.New("nobody can be asked here: give --yes to do it, or --dry-run to see what it would do")}
	}
	fmt.Fprint(ch.std.err, "Do it? [y/N] ")
	answer, err := bufio.NewReader(io.LimitReader(f, maxAnswer)).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// maxAnswer bounds an answer typed at a prompt, in bytes.
const maxAnswer = 256

// print writes what was done.
func (ch *change) print(done changed) error {
	return ch.out.write(ch.std.out, done, func(w io.Writer) {
		if done.Op == nil {
			writePreview(w, done.Preview)
			return
		}
		for _, id := range done.Statements {
			fmt.Fprintf(w, "statement\t%s\n", id)
		}
		fmt.Fprintf(w, "carried by\t%s\n", done.Op)
	})
}

// writePreview writes p for people.
func writePreview(w io.Writer, p admin.Preview) {
	for _, s := range p.Statements {
		switch {
		case s.Known:
			fmt.Fprintf(w, "%s: the mesh has it already\n", s.Kind)
		case !s.Stands:
			fmt.Fprintf(w, "%s: no effect: %s\n", s.Kind, orDash(printable(s.Reason)))
		}
	}
	if !p.Effect {
		fmt.Fprintln(w, "Nothing would change.")
		return
	}
	for _, o := range p.Operators {
		fmt.Fprintf(w, "operator %s: %s, then %s\n", printable(o.Name), printable(o.Before), printable(o.After))
	}
	for _, n := range p.Nodes {
		if n.Node != nil {
			fmt.Fprintf(w, "node %s of %s: %s, then %s\n", n.Node, printable(n.Name), printable(n.Before), printable(n.After))
		}
	}
	for _, s := range p.Fall {
		fmt.Fprintf(w, "%s %s ends\n", s.Kind, s.ID)
	}
	for _, s := range p.Return {
		fmt.Fprintf(w, "%s %s holds again\n", s.Kind, s.ID)
	}
	writeReach(w, "become void", p.Void)
	writeReach(w, "count again", p.Counting)
	if p.Void.Ops == 0 && p.Counting.Ops == 0 {
		fmt.Fprintln(w, "Nothing that was written so far becomes void or counts again.")
	}
}

// writeReach says how much of what was written changes.
func writeReach(w io.Writer, what string, r admin.Reach) {
	if r.Ops == 0 {
		return
	}
	fmt.Fprintf(w, "%d transactions in %d operations %s; they wrote %d keys", r.Transactions, r.Ops, what, r.Keys)
	if r.Ranges > 0 {
		fmt.Fprintf(w, " and deleted %d ranges", r.Ranges)
	}
	fmt.Fprintln(w)
	for _, k := range r.Sample {
		fmt.Fprintf(w, "  %q\n", string(k))
	}
	if more := r.Keys - int64(len(r.Sample)); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}
