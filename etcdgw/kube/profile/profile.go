package profile

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/causeway-sync/causeway/identity"
)

// Name names a profile.
type Name string

const (
	// Shared is one cluster stretched over sites that trust each other's
	// controllers: all replicates that is not a site's own.
	Shared Name = "shared"
	// Independent is a cluster per site: only the listed patterns replicate.
	Independent Name = "independent"
)

// DefaultRoot is where a kube-apiserver keeps its keys unless --etcd-prefix says otherwise.
const DefaultRoot = "/registry"

// Priorities of a profile's rules. Rules of an operator's own go between, above
// or below.
const (
	PriorityRest      = 100 // everything below the root
	PriorityReplicate = 200 // what independent clusters share
	PriorityKind      = 300 // well-formed objects of the kinds that replicate
	PriorityGuard     = 400 // kinds whose writers administer clusters: kept at home
	PriorityOwned     = 500 // of these, what the operator of [Options.Admin] writes
	PriorityLocal     = 600 // what is a site's own
)

// MaxPatterns is the most patterns of [Options], of each sort: every one may
// take a rule for each kind, and every node keeps all rules for ever.
const MaxPatterns = 16

// Options say what a profile leaves to its operators.
type Options struct {
	// Replicate are the patterns below the root that Independent replicates.
	// Shared takes none.
	Replicate []identity.Pattern
	// Local are further patterns below the root that stay local.
	Local []identity.Pattern
	// Admin is the operator whose nodes alone write the kinds that amount to
	// administering clusters. If nil, Shared replicates them as the rest, and
	// Independent keeps them local.
	Admin *identity.StatementID
}

// Rules returns the rules of a profile for the keys below root, the greatest
// priority first, then by pattern. The same arguments give the same rules.
// Errors wrap [ErrName], [ErrRoot] or [ErrPatterns].
func Rules(name Name, root string, o Options) ([]identity.PolicyRule, error) {
	base, err := prefix(root)
	if err != nil {
		return nil, err
	}
	b := book{base: base}
	own, err := b.within(o.Local)
	if err != nil {
		return nil, err
	}
	shared, err := b.within(o.Replicate)
	if err != nil {
		return nil, err
	}
	everything := b.below("**")
	rest := identity.PolicyRule{Pattern: everything, Priority: PriorityRest, Mode: identity.ModeLocal}
	switch {
	case name == Shared && len(shared) == 0:
		rest.Mode = identity.ModeMerge
		shared = []identity.Pattern{everything}
	case name == Shared:
		return nil, fmt.Errorf("%w: %s replicates whatever is not local, and takes no list", ErrPatterns, Shared)
	case name == Independent && len(shared) == 0:
		return nil, fmt.Errorf("%w: %s replicates only what is listed, and nothing is", ErrPatterns, Independent)
	case name == Independent:
		for _, p := range shared {
			b.add(identity.PolicyRule{Pattern: p, Priority: PriorityReplicate, Mode: identity.ModeMerge})
		}
	default:
		return nil, fmt.Errorf("%w: %q", ErrName, name)
	}
	b.add(rest)
	b.addKinds(name, shared, o.Admin)
	b.add(localRule(compactKey))
	for _, p := range local {
		b.add(localRule(b.below(p)))
	}
	for _, p := range own {
		b.add(localRule(p))
	}
	return b.finish()
}

// A book collects rules for the keys below a root.
type book struct {
	base  string // the pattern of the root, with a slash at its end
	rules []identity.PolicyRule
}

// prefix returns the pattern that every key below root begins with. It cleans
// the root as kube-apiserver does with --etcd-prefix.
func prefix(root string) (string, error) {
	if root == "" {
		return "", fmt.Errorf("%w: it is empty", ErrRoot)
	}
	p, err := identity.LiteralPattern([]byte(path.Join("/", root)))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRoot, err)
	}
	return strings.TrimSuffix(string(p), "/") + "/", nil
}

// below returns the pattern of the root followed by rest.
func (b *book) below(rest string) identity.Pattern { return identity.Pattern(b.base + rest) }

// within returns what of the patterns lies below the root: of each something must.
func (b *book) within(patterns []identity.Pattern) ([]identity.Pattern, error) {
	if len(patterns) > MaxPatterns {
		return nil, fmt.Errorf("%w: %d are more than %d", ErrPatterns, len(patterns), MaxPatterns)
	}
	var inside []identity.Pattern
	for _, p := range patterns {
		q, ok := meet(p, b.below("**"))
		if !ok {
			return nil, fmt.Errorf("%w: %q matches nothing below %q", ErrPatterns, p, b.base)
		}
		inside = append(inside, q)
	}
	return inside, nil
}

// addKinds adds the rules of the kinds, as far as they are of the patterns that replicate.
func (b *book) addKinds(name Name, replicated []identity.Pattern, admin *identity.StatementID) {
	for i := range kinds {
		k := &kinds[i]
		all := b.below(k.prefix + "/**")
		rule := identity.PolicyRule{Priority: PriorityKind, Mode: k.mode(), Form: k.form()}
		if k.guard == guarded || k.guard == fleet && name == Independent {
			if name == Independent {
				b.add(identity.PolicyRule{Pattern: all, Priority: PriorityGuard, Mode: identity.ModeLocal})
			}
			switch {
			case admin != nil:
				rule.Priority, rule.Mode, rule.Owner = PriorityOwned, identity.ModeOwned, admin
			case name == Independent:
				continue
			}
		}
		for _, p := range replicated {
			if both, ok := meet(p, all); ok {
				rule.Pattern = both
				b.add(rule)
			}
		}
	}
}

func localRule(p identity.Pattern) identity.PolicyRule {
	return identity.PolicyRule{Pattern: p, Priority: PriorityLocal, Mode: identity.ModeLocal}
}

func (b *book) add(r identity.PolicyRule) { b.rules = append(b.rules, r) }

// finish returns the rules in order, each pattern once in a priority.
func (b *book) finish() ([]identity.PolicyRule, error) {
	for _, r := range b.rules {
		if _, err := identity.ParsePattern([]byte(r.Pattern)); err != nil { // too long
			return nil, fmt.Errorf("%w: %w", ErrPatterns, err)
		}
	}
	slices.SortFunc(b.rules, func(r, s identity.PolicyRule) int {
		return cmp.Or(cmp.Compare(s.Priority, r.Priority), cmp.Compare(r.Pattern, s.Pattern))
	})
	return slices.CompactFunc(b.rules, func(r, s identity.PolicyRule) bool {
		return r.Priority == s.Priority && r.Pattern == s.Pattern
	}), nil
}
