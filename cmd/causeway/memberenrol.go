package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/p2p"
)

func newMemberRequest(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "request",
		Short: "On a new node: ask an operator to enrol it",
		Long: `Request makes the key of a new node and prints a request to enrol it, which is no
secret. An operator of the mesh passes it to "causeway member enrol", and gives
the pass back that "causeway join --pass-file" reads. Nothing needs to be
reachable meanwhile. The mesh, the operator's ID and a free slot are in the
operator's "causeway member list -o json".`,
		Example: `  causeway member request --data-dir b --mesh bafy… --operator stmt:5f0c… --slot 1 >request
  causeway member enrol --data-dir a --request-file request >pass
  causeway join --data-dir b --pass-file pass`,
		Args: exactly(0, ""),
	}
	dir := dataDirFlag(c)
	mesh := c.Flags().String("mesh", "", "the mesh")
	operator := c.Flags().String("operator", "", "the operator's ID")
	slot := c.Flags().Uint64("slot", 0, "which of the operator's slots for nodes")
	_ = c.MarkFlagRequired("mesh")
	_ = c.MarkFlagRequired("operator")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		m, err := dag.ParseID(*mesh)
		if err != nil {
			return usageError{fmt.Errorf("--mesh: %w", err)}
		}
		o, err := identity.ParseStatementID(*operator)
		if err != nil {
			return usageError{fmt.Errorf("--operator: %w", err)}
		}
		text, err := node.RequestEnrolment(*dir, m, o, *slot)
		if err != nil {
			return explain(err, *dir)
		}
		fmt.Fprintln(std.out, text)
		return nil
	}
	return c
}

// enrolled is what enrol prints.
type enrolled struct {
	Pass string `json:"pass"` // empty after --dry-run
	changed
}

func newMemberEnrol(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "enrol",
		Short: "Enrol a node that asked for it, and print its pass",
		Long: `Enrol reads the request of a node, signs its enrolment with the operator's key
and prints a pass for it, which is no secret. The request says into which slot of
which operator; --operator-key must be a key of that operator.`,
		Example: `  causeway member enrol --request-file request >pass
  causeway member enrol --request-file request --rotations 0 --dry-run`,
		Args: exactly(0, ""),
	}
	ch := newChange(c, std)
	file := c.Flags().String("request-file", "-", "file that holds the request; - is standard input")
	rotations := c.Flags().Uint64("rotations", identity.DefaultRotations, fmt.Sprintf("how often the node may replace its key by itself, at most %d", identity.MaxRotations))
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *rotations > identity.MaxRotations {
			return usageError{fmt.Errorf("--rotations %d is more than %d", *rotations, identity.MaxRotations)}
		}
		text, err := readText(cmd.Context(), std, *file, "request")
		if err != nil {
			return err
		}
		req, err := p2p.ParseRequest(text)
		if err != nil {
			return err
		}
		s, err := ch.open(cmd)
		if err != nil {
			return err
		}
		if req.Mesh != s.issuer.Mesh {
			return fmt.Errorf("the request is for another mesh, %s", req.Mesh)
		}
		done, err := ch.make(cmd, s, &req.Operator, draft{content: identity.Enrol{
			Slot: req.Slot, Node: req.Node, Rotations: *rotations, Consent: req.Consent,
		}})
		if err != nil {
			return err
		}
		result := enrolled{changed: done}
		if done.Op != nil {
			if result.Pass, err = s.pass(cmd, *done.Op); err != nil {
				return err
			}
		}
		return ch.out.write(std.out, result, func(w io.Writer) {
			if done.Op == nil {
				writePreview(w, done.Preview)
				return
			}
			fmt.Fprintln(w, result.Pass)
		})
	}
	return c
}

// pass returns the text of a pass by the op that carries an enrolment.
func (s *site) pass(cmd *cobra.Command, op dag.ID) (string, error) {
	st, err := s.client.Status(cmd.Context())
	if err != nil {
		return "", err
	}
	block, body, err := s.client.Blocks(cmd.Context(), op)
	if err != nil {
		return "", err
	}
	p, err := p2p.NewPass(s.issuer.Mesh, st.Node, st.PeerAddresses, block, body)
	if err != nil {
		return "", err
	}
	return p.Text()
}
