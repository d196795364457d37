package main

import (
	"slices"
	"strings"
)

// What a rule is named after: a type is GROUP.TYPE, in all versions of the
// group; a field is GROUP.TYPE.FIELD by its name in JSON. The core group and
// that of ObjectMeta are core and meta.

// atomicTypes are records that are one leaf, each with the reason: half of one
// and half of another would fail validation, and no later write could repair
// it but by hand, or would mean what neither author meant.
var atomicTypes = map[string]string{
	// Of these fields only one may be set.
	"core.EnvVar":           "value or valueFrom",
	"core.LifecycleHandler": "one handler",
	"core.NodeConfigSource": "one source",
	"core.PodResourceClaim": "claim or template",
	"core.Probe":            "one handler",
	"core.Volume":           "one source",
	"core.VolumeMount":      "subPath or subPathExpr",

	"admissionregistration.k8s.io.WebhookClientConfig": "url or service",
	"extensions.IngressBackend":                        "service or resource",
	"networking.k8s.io.IngressBackend":                 "service or resource",
	"policy.PodDisruptionBudgetSpec":                   "minAvailable or maxUnavailable",
	"resource.k8s.io.ResourceSliceSpec":                "nodeName, nodeSelector, allNodes or perDeviceNodeSelection",
	"scheduling.k8s.io.PodGroupResourceClaim":          "claim or template",
	"storage.k8s.io.VolumeAttachmentSource":            "volume or inline",

	// Of these one field says which of the others may be set.
	"apiextensions.k8s.io.CustomResourceConversion": "strategy and webhook",
	"apps.DaemonSetUpdateStrategy":                  "type and rollingUpdate",
	"apps.DeploymentStrategy":                       "type and rollingUpdate",
	"apps.StatefulSetUpdateStrategy":                "type and rollingUpdate",
	"extensions.DaemonSetUpdateStrategy":            "type and rollingUpdate",
	"extensions.DeploymentStrategy":                 "type and rollingUpdate",

	// Of these one bounds the other.
	"autoscaling.HorizontalPodAutoscalerSpec": "minReplicas and maxReplicas",
	"core.ResourceRequirements":               "requests and limits",
	"core.VolumeResourceRequirements":         "requests and limits",

	// These are one statement.
	"apiextensions.k8s.io.CustomResourceDefinitionNames": "names are accepted together",
	"apiextensions.k8s.io.CustomResourceValidation":      "a structural schema",
	"batch.UncountedTerminatedPods":                      "pods that status counts",
	"coordination.k8s.io.LeaseSpec":                      "who holds it, and since when",
	"coordination.k8s.io.LeaseCandidateSpec":             "who would hold it, and since when",
	"resource.k8s.io.AllocationResult":                   "devices and where they are",
}

// fieldShapes are fields that merge otherwise than their type says.
var fieldShapes = map[string]string{
	"meta.ObjectMeta.uid":                        "pin", // another uid is another object
	"meta.ObjectMeta.generation":                 "counter",
	"meta.ObjectMeta.deletionTimestamp":          "once",
	"meta.ObjectMeta.deletionGracePeriodSeconds": "once",
	"meta.ObjectMeta.managedFields":              "list manager=1,operation=2,apiVersion=3,subresource=8 record meta/v1.ManagedFieldsEntry",

	// What is allocated or bound stays what it was first: something may run by it already.
	"core.NodeSpec.podCIDR":                     "once",
	"core.NodeSpec.podCIDRs":                    "once",
	"core.PersistentVolumeSpec.claimRef":        "once",
	"core.PersistentVolumeClaimSpec.volumeName": "once",
	"core.PodSpec.nodeName":                     "once",
	"core.ServiceSpec.clusterIP":                "once",
	"core.ServiceSpec.clusterIPs":               "once",
	"core.ServiceSpec.ipFamilies":               "once",
	"core.ServiceSpec.ipFamilyPolicy":           "once",

	// At most one for each family of addresses, and the first is the field of one.
	"core.PodStatus.hostIPs": "leaf",
	"core.PodStatus.podIPs":  "leaf",

	"admissionregistration.k8s.io.ValidatingAdmissionPolicyBindingSpec.validationActions": "leaf", // Deny or Warn

	"core.NamespaceSpec.finalizers": "set",
	"core.Secret.type":              "pin", // it decides how data merges

	"apiextensions.k8s.io.CustomResourceDefinitionStatus.storedVersions": "set",
}

// secretData are the fields that a Secret of a type other than Opaque has as
// one leaf each: a key and its certificate, say.
var secretData = []string{"data", "stringData"}

// atomicItems reports whether items of the list in that field are leaves: each
// condition is one statement, with its reason and time.
func atomicItems(field string, keys []string) bool {
	return strings.HasSuffix(strings.ToLower(field), "conditions") && slices.Equal(keys, []string{"type"})
}
