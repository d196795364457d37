package main

import (
	"slices"
	"strings"
)

// What a rule is named after: a type is GROUP.TYPE, in all versions of the
// group, which is called as its folder in k8s.io/api (that of ObjectMeta is
// meta); a field is GROUP.TYPE.FIELD by its name in JSON.

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

	"admissionregistration.WebhookClientConfig": "url or service",
	"extensions.IngressBackend":                 "service or resource",
	"networking.IngressBackend":                 "service or resource",
	"policy.PodDisruptionBudgetSpec":            "minAvailable or maxUnavailable",
	"resource.ResourceSliceSpec":                "nodeName, nodeSelector, allNodes or perDeviceNodeSelection",
	"scheduling.PodGroupResourceClaim":          "claim or template",
	"storage.VolumeAttachmentSource":            "volume or inline",

	// Of these one field says which of the others may be set.
	"apps.DaemonSetUpdateStrategy":       "type and rollingUpdate",
	"apps.DeploymentStrategy":            "type and rollingUpdate",
	"apps.StatefulSetUpdateStrategy":     "type and rollingUpdate",
	"extensions.DaemonSetUpdateStrategy": "type and rollingUpdate",
	"extensions.DeploymentStrategy":      "type and rollingUpdate",

	// Of these one bounds the other.
	"autoscaling.HorizontalPodAutoscalerSpec": "minReplicas and maxReplicas",
	"core.ResourceRequirements":               "requests and limits",
	"core.VolumeResourceRequirements":         "requests and limits",

	// These are one statement.
	"apiextensions.CustomResourceDefinitionNames": "names are accepted together",
	"apiextensions.CustomResourceDefinitionSpec":  "versions; what they share v1beta1 says once, beside them",
	"batch.UncountedTerminatedPods":               "pods that status counts",
	"coordination.LeaseSpec":                      "who holds it, and since when",
	"coordination.LeaseCandidateSpec":             "who would hold it, and since when",
	"resource.AllocationResult":                   "devices and where they are",
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
	"core.PersistentVolumeClaimSpec.volumeName": "once",
	"core.PodSpec.nodeName":                     "once",
	"core.ServiceSpec.clusterIP":                "once",
	"core.ServiceSpec.clusterIPs":               "once",
	"core.ServiceSpec.ipFamilies":               "once",
	"core.ServiceSpec.ipFamilyPolicy":           "once",

	// Not the first: claims of one name that are made apart are decided by the
	// greater, and its site has most likely bound the volume later as well.
	"core.PersistentVolumeSpec.claimRef": "leaf",

	// At most one for each family of addresses, and the first is the field of one.
	"core.PodStatus.hostIPs": "leaf",
	"core.PodStatus.podIPs":  "leaf",

	"admissionregistration.ValidatingAdmissionPolicyBindingSpec.validationActions": "leaf", // Deny or Warn

	"core.NamespaceSpec.finalizers": "set",
	"core.Secret.type":              "pin", // it decides how data merges

	"apiextensions.CustomResourceDefinitionStatus.storedVersions": "set",
}

// secretData are the fields that a Secret of a type other than Opaque has as
// one leaf each: a key and its certificate, say.
var secretData = []string{"data", "stringData"}

// atomicItems reports whether items of the list in that field are leaves: each
// condition is one statement, with its reason and time.
func atomicItems(field string, keys []string) bool {
	return strings.HasSuffix(strings.ToLower(field), "conditions") && slices.Equal(keys, []string{"type"})
}
