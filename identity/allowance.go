package identity

// DefaultRotations is up to which index a node may replace its own key unless
// its operator says otherwise: a disk restored or cloned costs one index, and two
// clones that rotate at once a few (docs/roster.md, section 6).
const DefaultRotations = 8
