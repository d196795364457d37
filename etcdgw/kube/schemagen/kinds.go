package main

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/applyconfigurations"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// A kind is one that an API server stores.
type kind struct {
	schema.GroupVersionKind
	typ reflect.Type
}

// newScheme knows all kinds of k8s.io/api, and custom resource definitions.
func newScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientscheme.AddToScheme, apiextensionsv1.AddToScheme, apiextensionsv1beta1.AddToScheme,
	} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// storedKinds returns the kinds of a scheme that have metadata, in order: the
// others (lists, options, events of watches) are in requests only.
func storedKinds(s *runtime.Scheme) []kind {
	var kinds []kind
	for gvk, t := range s.AllKnownTypes() {
		f, ok := t.FieldByName("ObjectMeta")
		if ok && f.Type == reflect.TypeFor[metav1.ObjectMeta]() && gvk.Version != runtime.APIVersionInternal {
			kinds = append(kinds, kind{gvk, t})
		}
	}
	slices.SortFunc(kinds, func(a, b kind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Version, b.Version), strings.Compare(a.Kind, b.Kind))
	})
	return kinds
}

// A typeRef names a type in a schema of server-side apply.
type typeRef struct {
	schema *smd.Schema
	ref    smd.TypeRef
}

// applyTypes returns the types of the kinds in the schema of server-side apply.
// A kind that has none there is left out.
func applyTypes(s *runtime.Scheme, kinds []kind) (map[reflect.Type]typeRef, error) {
	definitions, err := readDefinitions()
	if err != nil {
		return nil, err
	}
	types := make(map[reflect.Type]typeRef)
	converter := applyconfigurations.NewTypeConverter(s)
	for _, k := range kinds {
		obj, err := s.New(k.GroupVersionKind)
		if err != nil {
			return nil, err
		}
		if named, ok := obj.(interface{ OpenAPIModelName() string }); ok && k.Group == apiextensionsv1.GroupName {
			name := named.OpenAPIModelName()
			types[k.typ] = typeRef{definitions, smd.TypeRef{NamedType: &name}}
			continue
		}
		obj.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
		if t, err := converter.ObjectToTyped(obj); err == nil {
			types[k.typ] = typeRef{t.Schema(), t.TypeRef()}
		}
	}
	return types, nil
}

// readDefinitions makes a schema of the OpenAPI definitions of package
// apiextensions, whose types client-go does not know.
func readDefinitions() (*smd.Schema, error) {
	models := make(map[string]*spec.Schema)
	for name, d := range openapi.GetOpenAPIDefinitions(func(name string) spec.Ref {
		return spec.MustCreateRef("#/components/schemas/" + name)
	}) {
		models[name] = &d.Schema
	}
	s, err := schemaconv.ToSchemaFromOpenAPI(models, false)
	if err != nil {
		return nil, fmt.Errorf("definitions of package apiextensions: %w", err)
	}
	return s, nil
}
