package dagtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/identity"
)

// A Chart is a DAG drawn with [Mesh.Draw].
type Chart struct {
	Names []string // of the ops drawn, parents first; without G

	m     *Mesh
	ops   map[string]*dag.Signed
	names map[dag.ID]string
	lines int    // of the texts drawn so far
	marks []mark // where names stand in the text

	statements map[string]*identity.Statement
	operators  map[string]operator
	texts      map[string]string
	schemas    map[string]*chartSchema
	nodes      map[byte]*identity.PrivateKey // by letter, beside the authors that the mesh began with
}

// A mark is a name at a place in the text; columns are counted in bytes.
type mark struct {
	name             string
	line, start, end int
}

// Draw makes the ops that text describes, without adding them to the graph:
//
//	G -> a1 -> b1{/k=v} -> a2
//	     |  -> c1{-/k}
//	b1, c1 -> d1{-/a../b +epoch}
//
// G is the last op that enrolled authors: the founding op, in a mesh of less
// than sixty. Any other op is named by a letter for its author (a for author
// 0) and whatever makes the name unique. An arrow leads from parent to child. A
// line begins with one op drawn before, or several with commas between, or a
// | below the name of one, in the nearest line above that has a name in that column.
//
// In braces, with spaces between, stand the op's writes, together one
// transaction: key=value puts, -key deletes, -key..end deletes a range. There,
// too, +epoch claims 1 + the greatest epoch of the past, +epoch=n that one, ^name takes that op
// for prev and ^ alone takes none; otherwise prev is the author's op of greatest seq in the past.
// And !name carries a statement, +name a schema.
//
// key@name=value puts under the schema of that name, --key deletes for good, and key~old>new is a patch, the
// difference of two values by plain JSON, or with key@name by that schema. key#op, in any of these but a range, names the life
// that the put of the key in that op belongs to; otherwise a put begins one. $name is the text of that name:
//
//	v = text {"a": 1}
//	S = schema n:counter s:set l:list/k m:map  fields of an object: also leaf, once, max, pin, sequence
//	N = schema !nonsense                       the bytes behind the !
//
// The schema opaque needs none.
//
// A line with an equals sign behind its first word makes a statement of that name:
//
//	Ann = admit admin /a/** /b/** nodes=2      an operator; Home is the founding one
//	x = enrol Ann slot=0 rotations=2           a node, named by its letter from now on
//	y = rotate x index=1                       and its key after a rotation (of both: key=y for that one once more)
//	R = revoke Ann keep=x1,b2                  or a node's enrolment (key=y: that key alone) or an invite
//	N = narrow Ann writer /a/** nodes=1 keep=x1
//	M = readmit supersedes=R,N
//	P = policy /c/**=local /a/**:9=owned:Ann /pods/**=lww:Pod,v1 keep=x1
//	I = invite writer /i/** host=b
//	Ivy = redeem I
//	Q = quota x bytes=100 writes=3             0, as without, is no bound
//	V = version 1
//	E = endorse R
//
// by=Ann issues it as that operator; otherwise it is a vote of the founder, with several
// (by=root1) of another. after=name takes that statement for the one before in its
// issuer's chain, which forks it.
func (m *Mesh) Draw(text string) *Chart {
	m.tb.Helper()
	last := m.Enrolled[len(m.Enrolled)-1]
	c := &Chart{
		m:          m,
		ops:        map[string]*dag.Signed{"G": last},
		names:      map[dag.ID]string{last.ID(): "G"},
		statements: make(map[string]*identity.Statement),
		operators:  map[string]operator{"Home": {m.Operator, m.OperatorKey()}},
		texts:      make(map[string]string),
		schemas:    map[string]*chartSchema{"": {}, "opaque": {schema: crdt.Opaque}},
		nodes:      make(map[byte]*identity.PrivateKey),
	}
	c.Draw(text)
	return c
}

// Draw goes on with the chart.
func (c *Chart) Draw(text string) {
	c.m.tb.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		c.lines++
		if strings.TrimSpace(line) == "" {
			continue
		}
		var err error
		if match := stated.FindStringSubmatch(line); match != nil && match[2] == "text" {
			c.texts[match[1]] = strings.TrimSpace(match[3])
		} else if match != nil && match[2] == "schema" {
			c.schemas[match[1]], err = newChartSchema(strings.Fields(match[3]))
		} else if match != nil {
			err = c.state(match[1], match[2], match[3])
		} else {
			err = c.line(c.lines, line)
		}
		if err != nil {
			c.m.tb.Fatalf("line %d of the chart, %q: %v", c.lines, line, err)
		}
	}
}

// node returns the key of the node that a letter names, nil if there is none.
func (c *Chart) node(letter byte) *identity.PrivateKey {
	if key := c.nodes[letter]; key != nil {
		return key
	}
	if i := int(letter) - 'a'; i >= 0 && i < c.m.Authors() {
		return c.m.Node(i)
	}
	return nil
}

// step matches an op of a line: its name and what stands in braces.
var step = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_']*)(\{[^}]*\})?`)

func (c *Chart) line(number int, line string) error {
	var parents []dag.ID
	from := 0
	for i, part := range strings.Split(line, "->") {
		var err error
		if i == 0 {
			parents, err = c.roots(number, part)
		} else {
			parents, err = c.step(number, from, part, parents)
		}
		if err != nil {
			return err
		}
		from += len(part) + len("->")
	}
	return nil
}

// roots returns the ops that a line begins with.
func (c *Chart) roots(number int, part string) ([]dag.ID, error) {
	if strings.TrimSpace(part) == "|" {
		name := c.above(number, strings.Index(part, "|"))
		if name == "" {
			return nil, fmt.Errorf("nothing above the |")
		}
		return []dag.ID{c.ops[name].ID()}, nil
	}
	var ids []dag.ID
	from := 0
	for name := range strings.SplitSeq(part, ",") {
		trimmed := strings.TrimSpace(name)
		s, ok := c.ops[trimmed]
		if !ok {
			return nil, fmt.Errorf("no op %q so far", trimmed)
		}
		ids = append(ids, s.ID())
		start := from + strings.Index(name, trimmed)
		c.marks = append(c.marks, mark{trimmed, number, start, start + len(trimmed)})
		from += len(name) + 1
	}
	return ids, nil
}

// above returns the name in that column of the nearest line above, "" if there is none.
func (c *Chart) above(number, column int) string {
	name, nearest := "", -1
	for _, k := range c.marks {
		if k.line < number && k.line > nearest && k.start <= column && column < k.end {
			name, nearest = k.name, k.line
		}
	}
	return name
}

// step makes one op and returns it as the parents of the next.
func (c *Chart) step(number, from int, part string, parents []dag.ID) ([]dag.ID, error) {
	match := step.FindStringSubmatchIndex(part)
	if match == nil || strings.TrimSpace(part) != part[match[0]:match[1]] {
		return nil, fmt.Errorf("%q is not an op", part)
	}
	name := part[match[2]:match[3]]
	if c.ops[name] != nil {
		return nil, fmt.Errorf("op %s is already drawn", name)
	}
	d := Draft{Key: c.node(name[0]), Parents: parents}
	if d.Key == nil {
		return nil, fmt.Errorf("no author %c", name[0])
	}
	if match[4] >= 0 {
		if err := c.items(&d, strings.Fields(part[match[4]+1:match[5]-1])); err != nil {
			return nil, err
		}
	}
	s := c.m.Sign(d)
	c.ops[name] = s
	c.names[s.ID()] = name
	c.Names = append(c.Names, name)
	c.marks = append(c.marks, mark{name, number, from + match[2], from + match[3]})
	return []dag.ID{s.ID()}, nil
}

// items fills d with what stands in braces.
func (c *Chart) items(d *Draft, items []string) error {
	var t dag.Transaction
	for _, item := range items {
		switch {
		case item == "+epoch":
			for id := range c.m.Past(d.Parents...) {
				d.Epoch = max(d.Epoch, c.m.Header(id).Epoch)
			}
			d.Epoch++
		case strings.HasPrefix(item, "+epoch="):
			var err error
			if d.Epoch, err = strconv.ParseUint(item[len("+epoch="):], 10, 64); err != nil {
				return err
			}
		case item == "^":
			d.First = true
		case strings.HasPrefix(item, "^"):
			prev := c.ops[item[1:]]
			if prev == nil {
				return fmt.Errorf("no op %q so far", item[1:])
			}
			id := prev.ID()
			d.Prev = &id
		case strings.HasPrefix(item, "!"):
			statement := c.statements[item[1:]]
			if statement == nil {
				return fmt.Errorf("no statement %q so far", item[1:])
			}
			d.Statements = append(d.Statements, statement)
		case strings.HasPrefix(item, "+"):
			s := c.schemas[item[1:]]
			if s == nil || s.bytes == nil {
				return fmt.Errorf("no schema %q to carry", item[1:])
			}
			d.Schemas = append(d.Schemas, s.bytes)
		default:
			w, err := c.write(item)
			if err != nil {
				return err
			}
			t = append(t, w)
		}
	}
	if len(t) > 0 {
		d.Transactions = []dag.Transaction{t}
	}
	return nil
}

// Statement returns the statement of that name, or ends the test.
func (c *Chart) Statement(name string) *identity.Statement {
	c.m.tb.Helper()
	s := c.statements[name]
	if s == nil {
		c.m.tb.Fatalf("no statement %q in the chart", name)
	}
	return s
}

// Key returns the key of the node that a letter names, if one has it.
func (c *Chart) Key(letter byte) (identity.PublicKey, bool) {
	key := c.node(letter)
	if key == nil {
		return identity.PublicKey{}, false
	}
	return key.Public(), true
}

// Signed returns the op of that name.
func (c *Chart) Signed(name string) *dag.Signed {
	c.m.tb.Helper()
	s := c.ops[name]
	if s == nil {
		c.m.tb.Fatalf("no op %q in the chart", name)
	}
	return s
}

// ID returns the ID of the op of that name.
func (c *Chart) ID(name string) dag.ID {
	c.m.tb.Helper()
	return c.Signed(name).ID()
}

// Name returns the name of an op, or its ID if it is not in the chart.
func (c *Chart) Name(id dag.ID) string {
	if name, ok := c.names[id]; ok {
		return name
	}
	return id.String()
}

// NamesOf returns the names of ops, in their order, with spaces between.
func (c *Chart) NamesOf(ops []*dag.Op) string {
	names := make([]string, len(ops))
	for i, o := range ops {
		names[i] = c.Name(o.ID())
	}
	return strings.Join(names, " ")
}

// Add adds the ops of those names, or all in the order they were drawn if there
// are none, to the mesh's graph, or ends the test.
func (c *Chart) Add(names ...string) {
	c.m.tb.Helper()
	if len(names) == 0 {
		names = c.Names
	}
	for _, name := range names {
		if _, _, err := c.m.Graph.Add(c.Signed(name)); err != nil {
			c.m.tb.Fatalf("add %s: %v", name, err)
		}
	}
}

// Op returns the op of that name from the mesh's graph, or ends the test.
func (c *Chart) Op(name string) *dag.Op {
	c.m.tb.Helper()
	o, ok := c.m.Graph.Get(c.ID(name))
	if !ok {
		c.m.tb.Fatalf("op %s is not in the graph", name)
	}
	return o
}
