package kube

import "errors"

// ErrDefinition is returned for a value that is no CustomResourceDefinition
// of which schemas can be made.
var ErrDefinition = errors.New("kube: not a custom resource definition that can be read")
