package profile

import (
	"strings"

	"github.com/causeway-sync/causeway/identity"
)

// A kind is a built-in resource of Kubernetes with a stable version: objects of
// one kind, alone below one prefix.
type kind struct {
	prefix   string // below the root
	name     string
	versions string // every apiVersion that a kube-apiserver decodes, parted by spaces
	guard    guard
}

// guard says whether writing objects of a kind amounts to administering a
// cluster, because a replicated write passes by admission control.
type guard uint8

const (
	plain   guard = iota
	guarded       // it does
	fleet         // it does, but in a shared cluster the kubelets of every site must
)

// mode returns how concurrent writes of objects of the kind end where they replicate.
func (k *kind) mode() identity.Mode {
	if k.name == "Lease" { // half of one holder and half of another is none
		return identity.ModeLWW
	}
	return identity.ModeMerge
}

// form returns what values of the kind must be.
func (k *kind) form() *identity.Form {
	return &identity.Form{Kind: k.name, Versions: strings.Fields(k.versions)}
}

const (
	rbac       = "rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1 rbac.authorization.k8s.io/v1alpha1"
	webhook    = "admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1beta1"
	admission  = webhook + " admissionregistration.k8s.io/v1alpha1"
	apps       = "apps/v1 apps/v1beta2 apps/v1beta1"
	networking = "networking.k8s.io/v1 networking.k8s.io/v1beta1"
	storage    = "storage.k8s.io/v1 storage.k8s.io/v1beta1"
	flow       = "flowcontrol.apiserver.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1beta3 flowcontrol.apiserver.k8s.io/v1beta2 flowcontrol.apiserver.k8s.io/v1beta1"
	resource   = "resource.k8s.io/v1 resource.k8s.io/v1beta2 resource.k8s.io/v1beta1"
)

// kinds lists what Kubernetes 1.36 has, in the order of their groups. Left out are kinds that
// never replicate (local), and those without a stable version (ClusterTrustBundle,
// PodCertificateRequest, LeaseCandidate, Workload, PodGroup, DeviceTaintRule, ResourcePoolStatusRequest, StorageVersion):
// in which version these are stored changes from release to release.
// integration/kubernetes compares with the sources of Kubernetes.
var kinds = []kind{
	{"configmaps", "ConfigMap", "v1", plain},
	{"controllers", "ReplicationController", "v1", plain},
	{"limitranges", "LimitRange", "v1", plain},
	{"minions", "Node", "v1", fleet},
	{"namespaces", "Namespace", "v1", plain},
	{"persistentvolumeclaims", "PersistentVolumeClaim", "v1", plain},
	{"persistentvolumes", "PersistentVolume", "v1", plain},
	{"pods", "Pod", "v1", plain},
	{"podtemplates", "PodTemplate", "v1", plain},
	{"resourcequotas", "ResourceQuota", "v1", plain},
	{"secrets", "Secret", "v1", plain},
	{"serviceaccounts", "ServiceAccount", "v1", plain},
	{"services/endpoints", "Endpoints", "v1", plain},
	{"services/specs", "Service", "v1", plain},

	{"mutatingadmissionpolicies", "MutatingAdmissionPolicy", admission, guarded},
	{"mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", admission, guarded},
	{"mutatingwebhookconfigurations", "MutatingWebhookConfiguration", webhook, guarded},
	{"validatingadmissionpolicies", "ValidatingAdmissionPolicy", admission, guarded},
	{"validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", admission, guarded},
	{"validatingwebhookconfigurations", "ValidatingWebhookConfiguration", webhook, guarded},

	{"apiextensions.k8s.io/customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io/v1 apiextensions.k8s.io/v1beta1", guarded},

	{"controllerrevisions", "ControllerRevision", apps, plain},
	{"daemonsets", "DaemonSet", "apps/v1 apps/v1beta2 extensions/v1beta1", plain},
	{"deployments", "Deployment", apps + " extensions/v1beta1", plain},
	{"replicasets", "ReplicaSet", "apps/v1 apps/v1beta2 extensions/v1beta1", plain},
	{"statefulsets", "StatefulSet", apps, plain},

	{"horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling/v2 autoscaling/v1", plain},

	{"cronjobs", "CronJob", "batch/v1 batch/v1beta1", plain},
	{"jobs", "Job", "batch/v1", plain},

	{"certificatesigningrequests", "CertificateSigningRequest", "certificates.k8s.io/v1 certificates.k8s.io/v1beta1", fleet},

	{"leases", "Lease", "coordination.k8s.io/v1 coordination.k8s.io/v1beta1", plain},

	{"endpointslices", "EndpointSlice", "discovery.k8s.io/v1 discovery.k8s.io/v1beta1", plain},

	{"flowschemas", "FlowSchema", flow, plain},
	{"prioritylevelconfigurations", "PriorityLevelConfiguration", flow, plain},

	{"ingress", "Ingress", networking + " extensions/v1beta1", plain},
	{"ingressclasses", "IngressClass", networking, plain},
	{"networkpolicies", "NetworkPolicy", "networking.k8s.io/v1 extensions/v1beta1", plain},

	{"runtimeclasses", "RuntimeClass", "node.k8s.io/v1 node.k8s.io/v1beta1 node.k8s.io/v1alpha1", plain},

	{"poddisruptionbudgets", "PodDisruptionBudget", "policy/v1 policy/v1beta1", plain},

	{"clusterrolebindings", "ClusterRoleBinding", rbac, guarded},
	{"clusterroles", "ClusterRole", rbac, guarded},
	{"rolebindings", "RoleBinding", rbac, guarded},
	{"roles", "Role", rbac, guarded},

	{"deviceclasses", "DeviceClass", resource, plain},
	{"resourceclaims", "ResourceClaim", resource, plain},
	{"resourceclaimtemplates", "ResourceClaimTemplate", resource, plain},
	{"resourceslices", "ResourceSlice", resource, plain},

	{"priorityclasses", "PriorityClass", "scheduling.k8s.io/v1 scheduling.k8s.io/v1beta1", plain},

	{"csidrivers", "CSIDriver", storage, plain},
	{"csinodes", "CSINode", storage, plain},
	{"csistoragecapacities", "CSIStorageCapacity", storage + " storage.k8s.io/v1alpha1", plain},
	{"storageclasses", "StorageClass", storage, plain},
	{"volumeattachments", "VolumeAttachment", storage + " storage.k8s.io/v1alpha1", plain},
	{"volumeattributesclasses", "VolumeAttributesClass", storage + " storage.k8s.io/v1alpha1", plain},
}

// compactKey is where a kube-apiserver keeps the revision that it compacted at last, whatever its root.
const compactKey = "compact_rev_key"

// local lists the patterns below the root that never replicate: why, docs/kubernetes.md says.
var local = []string{
	"apiregistration.k8s.io/apiservices/**",
	"endpointslices/default/kubernetes",
	"events/**",
	"health",
	"ipaddresses/**",
	"masterleases/**",
	"peerserverleases/**",
	"ranges/**",
	"servicecidrs/**",
	"services/endpoints/default/kubernetes",
	"services/specs/default/kubernetes",
	"storageversionmigrations/**",
}
