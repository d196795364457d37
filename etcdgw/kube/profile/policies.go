package profile

import "github.com/causeway-sync/causeway/identity"

// markerPath follows the root in the pattern of the rule that marks a policy as
// a profile's: the profile's name follows. No kube-apiserver has a key there.
const markerPath = "causeway.profile/"

// ruleBudget bounds the rules of one statement, in bytes: half a statement. The
// other half is for its keep heads and what it supersedes.
const ruleBudget = identity.MaxStatementSize / 2

// Policies returns [Rules] as the rules of as few policy statements as hold
// them. Each begins with a rule that marks it, for [Of].
func Policies(name Name, root string, o Options) ([][]identity.PolicyRule, error) {
	rules, err := Rules(name, root, o)
	if err != nil {
		return nil, err
	}
	base, err := prefix(root)
	if err != nil {
		return nil, err
	}
	marker := localRule(identity.Pattern(base + markerPath + string(name)))
	var policies [][]identity.PolicyRule
	size := 0
	for _, r := range rules {
		last := len(policies) - 1
		if last < 0 || len(policies[last]) == identity.MaxRules || size+maxSize(r) > ruleBudget {
			policies = append(policies, []identity.PolicyRule{marker})
			size, last = maxSize(marker), last+1
		}
		policies[last] = append(policies[last], r)
		size += maxSize(r)
	}
	return policies, nil
}

// maxSize returns how many bytes a rule takes in a statement, at most.
func maxSize(r identity.PolicyRule) int {
	n := 1 + head + len(r.Pattern) + 9 + 1 + 1 + 1
	if r.Owner != nil {
		n += head + len(r.Owner)
	}
	if r.Form != nil {
		n += 2 + head + len(r.Form.Kind)
		for _, v := range r.Form.Versions {
			n += head + len(v)
		}
	}
	return n
}

// head is the most bytes before a string of less than 64 KiB in CBOR.
const head = 3

// Of returns which profile of the keys below root a policy with that first
// pattern sets, and false if none.
func Of(root string, first identity.Pattern) (Name, bool) {
	base, err := prefix(root)
	if err != nil {
		return "", false
	}
	for _, name := range []Name{Shared, Independent} {
		if first == identity.Pattern(base+markerPath+string(name)) {
			return name, true
		}
	}
	return "", false
}
