// Package verify checks a whole data directory while no node runs on it: every
// hash, signature and rule, the log's records against one another, and the
// values of all keys against their definition (docs/verify.md).
//
// It changes nothing: the store is opened to be read only. It takes nothing on
// trust that the directory says, but it cannot tell an old whole copy, nor
// another history that the node's own key has signed.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
)

// Names in a data directory (docs/node.md, "Data directory").
const (
	storeDir        = "store"
	nodeKeyFile     = "node.key"
	nextKeyFile     = "node.key.next"
	operatorKeyFile = "operator.key"
	metaMesh        = "node/mesh"
)

// MaxFindings bounds the findings that a report lists. The check ends there.
const MaxFindings = 100

// A Step is a part of the check. The steps are taken in this order.
type Step string

// The steps (docs/verify.md, "What is checked").
const (
	StepKeys       Step = "keys"
	StepOpen       Step = "open"
	StepRecords    Step = "records"
	StepIndex      Step = "index"
	StepReplay     Step = "replay"
	StepOperations Step = "operations"
	StepValues     Step = "values"
)

var steps = []Step{StepKeys, StepOpen, StepRecords, StepIndex, StepReplay, StepOperations, StepValues}

// Verdicts of a [Report].
const (
	Sound   = "sound"
	Damaged = "damaged"
)

// A Finding is something that is not as the node wrote it.
type Finding struct {
	Step  Step   `json:"step"`
	Where string `json:"where"` // a file, record, operation or named value
	What  string `json:"what"`
}

// A Report says what a check found. What was counted is as far as the check got.
type Report struct {
	Verdict  string    `json:"verdict"`
	Findings []Finding `json:"findings"`
	// Skipped are the steps that were not reached, or not to their end.
	Skipped []Step `json:"skipped"`
	// Closed says that the node was stopped in good order; Torn where the log
	// ends within a batch, which was left out.
	Closed bool   `json:"closed"`
	Torn   string `json:"torn"`

	Mesh       *dag.ID `json:"mesh"`       // nil if unknown
	Records    uint64  `json:"records"`    // of the log
	Operations int     `json:"ops"`        // in the log
	Forks      int     `json:"forks"`      // proven by them; no damage
	Void       int     `json:"void"`       // transactions that do not count (docs/roster.md)
	Unsealed   int     `json:"unsealed"`   // transactions that were answered and are in no operation yet: the node was killed
	Keys       int     `json:"keys"`       // visible at every node
	Revision   int64   `json:"revision"`   // the node's own
	StateHash  string  `json:"state_hash"` // of the visible keys and values; empty if not computed
}

// Options of a check.
type Options struct {
	// Closed says that the node was stopped in good order: a log that does not
	// end so is damaged.
	Closed bool
	// Progress is called now and then with how much of a step is done, from the
	// goroutine that called [Run]. Total is 0 where it is not known. May be nil.
	Progress func(step Step, done, total uint64)
}

// ErrNoNode says that a directory holds no node's data.
var ErrNoNode = errors.New("verify: the directory holds no node")

// errEnough ends a check that has found MaxFindings.
var errEnough = errors.New("verify: too many findings")

// Run checks a data directory. Damage is in the report, not in the error: that
// says why there is none, as that the directory is in use (leveldb.ErrLocked),
// that it holds no node (ErrNoNode), that it cannot be read, or ctx's.
func Run(ctx context.Context, dataDir string, o Options) (*Report, error) {
	c := &check{ctx: ctx, dir: dataDir, options: o, report: &Report{Findings: []Finding{}, Skipped: []Step{}}}
	reached, err := c.run()
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	c.report.Skipped = append(c.report.Skipped, steps[reached:]...)
	c.report.Verdict = Sound
	if len(c.report.Findings) > 0 {
		c.report.Verdict = Damaged
	}
	return c.report, nil
}

// A check is one run.
type check struct {
	ctx     context.Context
	dir     string
	options Options
	report  *Report
	store   *leveldb.Store
	held    []identity.PublicKey // the node's key, and the one that is to be
}

// run takes the steps as far as damage lets it, and returns how many it took.
func (c *check) run() (reached int, err error) {
	defer func() {
		if c.store != nil {
			err = errors.Join(err, c.store.Close())
		}
	}()
	var log *replayed
	for i, step := range steps {
		if err := c.ctx.Err(); err != nil {
			return i, err
		}
		c.progress(step, 0, 0)
		goOn := true
		switch step {
		case StepKeys:
			err = c.keys()
		case StepOpen:
			goOn, err = c.open()
		case StepRecords:
			goOn, err = c.records()
		case StepIndex:
			err = c.index()
		case StepReplay:
			if log, err = c.replay(); log == nil {
				goOn = false
			}
		case StepOperations:
			goOn, err = c.operations(log)
		case StepValues:
			err = c.values(log)
		}
		if err != nil || !goOn {
			return i + 1, err
		}
	}
	return len(steps), nil
}

// progress reports progress.
func (c *check) progress(step Step, done, total uint64) {
	if c.options.Progress != nil {
		c.options.Progress(step, done, total)
	}
}

// found adds a finding. The error ends the check where there are too many.
func (c *check) found(step Step, where, what string) error {
	c.report.Findings = append(c.report.Findings, Finding{Step: step, Where: where, What: what})
	if len(c.report.Findings) >= MaxFindings {
		return errEnough
	}
	return nil
}

// damage turns an error of the store into a finding if it says that something
// is damaged, and returns it otherwise.
func (c *check) damage(step Step, err error) error {
	var corrupt *dag.CorruptError
	if !errors.As(err, &corrupt) {
		return err
	}
	where := corrupt.Key
	if corrupt.Offset >= 0 {
		where += fmt.Sprintf(", byte %d", corrupt.Offset)
	}
	what := "damaged"
	if corrupt.Err != nil {
		what = corrupt.Err.Error()
	}
	return c.found(step, where, what)
}

// keys looks at the key files. A copy without them is checked all the same.
func (c *check) keys() error {
	if info, err := os.Stat(c.dir); err != nil {
		return fmt.Errorf("verify: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("verify: %s is not a directory", c.dir)
	}
	for _, name := range []string{nodeKeyFile, nextKeyFile, operatorKeyFile} {
		k, err := identity.ReadKeyFile(filepath.Join(c.dir, name), nil)
		switch {
		case err == nil && name != operatorKeyFile:
			c.held = append(c.held, k.Public())
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, identity.ErrPassphraseNeeded) && name == operatorKeyFile:
		case errors.Is(err, identity.ErrPermissions), errors.Is(err, identity.ErrKeyFile),
			errors.Is(err, identity.ErrKeyType), errors.Is(err, identity.ErrPassphraseNeeded):
			if err := c.found(StepKeys, name, errors.Unwrap(err).Error()); err != nil {
				return err
			}
		default:
			return fmt.Errorf("verify: %w", err)
		}
	}
	return nil
}

// open opens the store and reads which mesh it is of.
func (c *check) open() (goOn bool, err error) {
	c.store, err = leveldb.Open(filepath.Join(c.dir, storeDir), leveldb.Options{ReadOnly: true})
	if errors.Is(err, leveldb.ErrMissing) {
		if _, kerr := os.Lstat(filepath.Join(c.dir, nodeKeyFile)); kerr == nil {
			return false, c.found(StepOpen, storeDir, "there is a node's key and no store")
		}
		return false, fmt.Errorf("%w: %s", ErrNoNode, c.dir)
	}
	if err != nil {
		return false, c.damage(StepOpen, err)
	}
	end := c.store.Ending()
	c.report.Closed = end.Closed
	if end.Torn != "" {
		c.report.Torn = fmt.Sprintf("%s, byte %d", end.Torn, end.At)
	}
	c.report.Records = uint64(c.store.Last())
	if c.options.Closed && !end.Closed {
		where := c.report.Torn
		if where == "" {
			where = "the end of the log"
		}
		return true, c.found(StepOpen, where, "the node was not stopped in good order, or the log has lost its end")
	}
	return true, nil
}
