package dagtest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// An operator is one that a chart can name.
type operator struct {
	id  identity.StatementID
	key *identity.PrivateKey
}

// stated matches a line that makes a statement: its name, kind and the rest.
var stated = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9_']*)\s*=\s*([a-z]+)\b(.*)$`)

// options of a statement, which are written name=value.
var options = []string{"after", "by", "bytes", "host", "index", "keep", "key", "nodes", "rotations", "slot", "supersedes", "writes"}

// words are what stands behind the kind of a statement.
type words struct {
	c       *Chart
	plain   []string // that are no options
	options map[string]string
	err     error // the first
}

// state makes the statement that a line describes.
func (c *Chart) state(name, kind, rest string) error {
	if c.statements[name] != nil {
		return fmt.Errorf("statement %s is already made", name)
	}
	w := &words{c: c, options: make(map[string]string)}
	for _, word := range strings.Fields(rest) {
		if option, value, ok := strings.Cut(word, "="); ok && slices.Contains(options, option) {
			w.options[option] = value
		} else {
			w.plain = append(w.plain, word)
		}
	}
	var content identity.Content
	issuer, as := w.issuer()
	switch kind {
	case "admit":
		key := c.m.Key("operator " + name)
		content = identity.Admit{Name: name, Keys: []identity.PublicKey{key.Public()}, Grant: w.grant(0)}
	case "invite":
		ticket := c.m.Key("ticket " + name)
		content = identity.Invite{Ticket: ticket.Public(), Host: w.node(w.options["host"]).Public(), Grant: w.grant(0)}
	case "redeem":
		issuer = c.m.Key("ticket " + w.word(0))
		key := c.m.Key("operator " + name)
		content = identity.Redeem{Invite: w.id(w.word(0)), Name: name, Keys: []identity.PublicKey{key.Public()}}
	case "enrol":
		o := w.operator(w.word(0))
		if w.err != nil {
			return w.err
		}
		issuer, as = o.key, &o.id
		node := w.nodeFor(name)
		slot := w.number("slot", 0)
		content = identity.Enrol{Slot: slot, Node: node.Public(), Rotations: w.number("rotations", 0),
			Consent: identity.SignConsent(c.m.Founding.ID(), o.id, slot, node)}
	case "rotate":
		issuer = w.node(w.word(0))
		enrolment := c.m.enrolments[issuer.Public()]
		node := w.nodeFor(name)
		index := w.number("index", 1)
		content = identity.Rotate{Enrolment: enrolment, Index: index, Key: node.Public(),
			Consent: identity.SignRotationConsent(c.m.Founding.ID(), enrolment, index, node)}
	case "revoke":
		revoke := identity.Revoke{Subject: w.id(w.word(0)), Keep: w.keep()}
		if node := w.options["key"]; node != "" {
			key := w.node(node).Public()
			revoke.Key = &key
		}
		content = revoke
	case "narrow":
		grant := w.grant(1)
		content = identity.Narrow{Operator: w.operator(w.word(0)).id, Role: grant.Role, Patterns: grant.Patterns, Nodes: grant.Nodes, Keep: w.keep()}
	case "readmit":
		content = identity.Readmit{}
	case "policy":
		content = identity.Policy{Rules: w.rules(), Keep: w.keep()}
	case "quota":
		content = identity.Quota{Subject: w.id(w.word(0)), Bytes: w.number("bytes", 0), Writes: w.number("writes", 0)}
	case "version":
		version, err := strconv.ParseUint(w.word(0), 10, 64)
		w.fail(err)
		content = identity.Version{Version: version}
	case "endorse":
		content = identity.Endorse{Statement: w.id(w.word(0))}
	default:
		return fmt.Errorf("no kind of statement %q", kind)
	}
	draft := identity.Statement{As: as, Supersedes: w.supersedes(), Content: content}
	if after := w.options["after"]; after != "" {
		if before := c.statements[after]; before != nil {
			id := before.ID()
			draft.Seq, draft.Prev = before.Seq+1, &id
		} else {
			w.fail(fmt.Errorf("no statement %q so far", after))
		}
	}
	if w.err != nil {
		return w.err
	}
	s := c.m.Issue(issuer, draft)
	c.statements[name] = s
	switch kind {
	case "admit", "redeem":
		c.operators[name] = operator{s.ID(), c.m.Key("operator " + name)}
	}
	return nil
}

// fail keeps the first error.
func (w *words) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *words) word(i int) string {
	if i >= len(w.plain) {
		w.fail(fmt.Errorf("word %d is missing", i+1))
		return ""
	}
	return w.plain[i]
}

func (w *words) number(option string, otherwise uint64) uint64 {
	text := w.options[option]
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	w.fail(err)
	return n
}

// issuer returns the key that by= names and as whom it speaks.
func (w *words) issuer() (*identity.PrivateKey, *identity.StatementID) {
	by := w.options["by"]
	if number, ok := strings.CutPrefix(by, "root"); ok || by == "" {
		founder, err := 0, error(nil)
		if number != "" {
			founder, err = strconv.Atoi(number)
			w.fail(err)
		}
		return w.c.m.FounderKey(founder), nil
	}
	o := w.operator(by)
	return o.key, &o.id
}

func (w *words) operator(name string) operator {
	o, ok := w.c.operators[name]
	if !ok {
		w.fail(fmt.Errorf("no operator %q so far", name))
	}
	return o
}

// node returns the key of the node that a letter names.
func (w *words) node(letter string) *identity.PrivateKey {
	if len(letter) == 1 {
		if key := w.c.node(letter[0]); key != nil {
			return key
		}
	}
	w.fail(fmt.Errorf("no node %q so far", letter))
	return w.c.m.Node(0)
}

// nodeFor returns the key that a statement makes an author: a new one of the
// statement's name, or the one that key= says.
func (w *words) nodeFor(name string) *identity.PrivateKey {
	if old := w.options["key"]; old != "" {
		return w.node(old)
	}
	key := w.c.m.Key("node " + name)
	w.nameNode(name, key)
	return key
}

// nameNode makes a letter name a node's key.
func (w *words) nameNode(name string, key *identity.PrivateKey) {
	if len(name) != 1 || w.c.node(name[0]) != nil {
		w.fail(fmt.Errorf("a node is named by a letter that no other has, not by %q", name))
		return
	}
	w.c.nodes[name[0]] = key
}

// id returns the ID of a statement, or of the enrolment of a node that the
// mesh began with, by name.
func (w *words) id(name string) identity.StatementID {
	if s := w.c.statements[name]; s != nil {
		return s.ID()
	}
	if o, ok := w.c.operators[name]; ok {
		return o.id
	}
	if len(name) == 1 {
		if key := w.c.node(name[0]); key != nil {
			return w.c.m.enrolments[key.Public()]
		}
	}
	w.fail(fmt.Errorf("no statement %q so far", name))
	return identity.StatementID{}
}

func (w *words) supersedes() []identity.StatementID {
	var ids []identity.StatementID
	for name := range strings.SplitSeq(w.options["supersedes"], ",") {
		if name != "" {
			ids = append(ids, w.id(name))
		}
	}
	slices.SortFunc(ids, identity.StatementID.Compare)
	return ids
}

// keep returns the IDs of the ops that keep= names.
func (w *words) keep() [][32]byte {
	var ids []dag.ID
	for name := range strings.SplitSeq(w.options["keep"], ",") {
		if name == "" {
			continue
		}
		s := w.c.ops[name]
		if s == nil {
			w.fail(fmt.Errorf("no op %q so far", name))
			continue
		}
		ids = append(ids, s.ID())
	}
	return keepHeads(ids)
}

// keepHeads returns ids as the keep heads of a statement.
func keepHeads(ids []dag.ID) [][32]byte {
	var keep [][32]byte
	for _, id := range slices.SortedFunc(slices.Values(ids), dag.ID.Compare) {
		keep = append(keep, id)
	}
	return keep
}

// grant reads a role and patterns, beginning with that word.
func (w *words) grant(from int) identity.Grant {
	grant := identity.Grant{Nodes: w.number("nodes", 1)}
	w.fail(grant.Role.UnmarshalText([]byte(w.word(from))))
	for i := from + 1; i < len(w.plain); i++ {
		grant.Patterns = append(grant.Patterns, identity.Pattern(w.plain[i]))
	}
	return grant
}

// rules reads pattern[:priority]=mode[:owner or kind,version,…].
func (w *words) rules() []identity.PolicyRule {
	var rules []identity.PolicyRule
	for _, word := range w.plain {
		pattern, mode, ok := strings.Cut(word, "=")
		if !ok {
			w.fail(fmt.Errorf("%q is not a rule", word))
			continue
		}
		var rule identity.PolicyRule
		pattern, priority, ok := strings.Cut(pattern, ":")
		rule.Pattern = identity.Pattern(pattern)
		if ok {
			var err error
			rule.Priority, err = strconv.ParseUint(priority, 10, 64)
			w.fail(err)
		}
		mode, more, ok := strings.Cut(mode, ":")
		w.fail(rule.Mode.UnmarshalText([]byte(mode)))
		if rule.Mode == identity.ModeOwned {
			owner := w.operator(more).id
			rule.Owner = &owner
		} else if ok {
			form := strings.Split(more, ",")
			rule.Form = &identity.Form{Kind: form[0], Versions: form[1:]}
		}
		rules = append(rules, rule)
	}
	return rules
}
