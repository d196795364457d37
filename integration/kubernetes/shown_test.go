package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// objects names what a site shows, with what must be equal at all sites.
func (c *cluster) objects(ctx context.Context) ([]string, error) {
	var shown []string
	add := func(kind string, m *meta.ObjectMeta, more ...any) {
		shown = append(shown, fmt.Sprintln(kind, m.Namespace, m.Name, m.UID, m.Generation, more))
	}
	namespaces, err := c.Client.CoreV1().Namespaces().List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range namespaces.Items {
		add("namespace", &o.ObjectMeta, o.Status.Phase)
	}
	pods, err := c.Client.CoreV1().Pods("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range pods.Items {
		add("pod", &o.ObjectMeta, o.Spec.NodeName, o.Status.Phase, o.Status.PodIP)
	}
	sets, err := c.Client.AppsV1().ReplicaSets("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range sets.Items {
		add("replicaset", &o.ObjectMeta, *o.Spec.Replicas, o.Status.Replicas)
	}
	deployments, err := c.Client.AppsV1().Deployments("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range deployments.Items {
		add("deployment", &o.ObjectMeta, *o.Spec.Replicas, o.Spec.Template.Spec.Containers[0].Image, o.Status.Replicas, o.Status.AvailableReplicas)
	}
	claims, err := c.Client.CoreV1().PersistentVolumeClaims("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range claims.Items {
		add("claim", &o.ObjectMeta, o.Status.Phase, o.Spec.VolumeName)
	}
	volumes, err := c.Client.CoreV1().PersistentVolumes().List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range volumes.Items {
		var claim [2]string
		if o.Spec.ClaimRef != nil {
			claim = [2]string{o.Spec.ClaimRef.Name, string(o.Spec.ClaimRef.UID)}
		}
		add("volume", &o.ObjectMeta, o.Status.Phase, claim)
	}
	accounts, err := c.Client.CoreV1().ServiceAccounts("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range accounts.Items {
		add("account", &o.ObjectMeta)
	}
	maps, err := c.Client.CoreV1().ConfigMaps("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range maps.Items {
		add("configmap", &o.ObjectMeta, o.Data["value"])
	}
	return shown, nil
}

// summary is what a site shows of what both wrote during the cut.
func (c *cluster) summary(t *testing.T) string {
	t.Helper()
	shown, err := c.objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, o := range shown {
		if f := strings.Fields(o); slices.Contains([]string{"pod", "replicaset", "deployment", "claim", "volume", "configmap", "namespace", "account"}, f[0]) &&
			(strings.Contains(o, " cut ") || strings.Contains(o, "doomed") || f[0] == "volume" || strings.Contains(o, "same") || strings.Contains(o, "only")) &&
			!strings.Contains(o, "kube-root-ca") && !strings.Contains(o, " default ") {
			kept = append(kept, "    "+strings.TrimSpace(o))
		}
	}
	slices.Sort(kept)
	return "shows\n" + strings.Join(kept, "\n")
}
