// Command argocd answers as Argo CD would, by its own engines and without an Argo CD.
//
//	argocd health < {"config": CONFIGMAP, "objects": [OBJECT, ...]}
//	argocd diff   < [{"target": OBJECT, "live": OBJECT, "predicted": OBJECT}, ...]
//
// health prints what each object's health is with the customizations in the ConfigMap argocd-cm, null where Argo CD has
// none for its kind. diff prints for each pair whether it is OutOfSync, with both sides where it is: by the three-way diff,
// or where `predicted` holds the answer of a server-side dry-run apply of the target, by the server-side diff.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const healthKey = "resource.customizations.health."

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 || args[0] != "health" && args[0] != "diff" {
		return fmt.Errorf("usage: argocd health|diff")
	}
	judge := judgeDiff
	if args[0] == "health" {
		judge = judgeHealth
	}
	answer, err := judge(json.NewDecoder(os.Stdin))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func judgeHealth(input *json.Decoder) (any, error) {
	var request struct {
		Config  corev1.ConfigMap             `json:"config"`
		Objects []*unstructured.Unstructured `json:"objects"`
	}
	if err := input.Decode(&request); err != nil {
		return nil, err
	}
	overrides := lua.ResourceHealthOverrides{}
	for key, script := range request.Config.Data {
		kind, found := strings.CutPrefix(key, healthKey)
		if !found {
			return nil, fmt.Errorf("%s is no key of a health customization", key)
		}
		overrides[strings.Replace(kind, "_", "/", 1)] = v1alpha1.ResourceOverride{HealthLua: script}
	}
	answers := make([]*health.HealthStatus, len(request.Objects))
	for index, object := range request.Objects {
		answer, err := health.GetResourceHealth(object, overrides)
		if err != nil {
			return nil, err
		}
		answers[index] = answer
	}
	return answers, nil
}

type pair struct {
	Target    *unstructured.Unstructured `json:"target"`
	Live      *unstructured.Unstructured `json:"live"`
	Predicted json.RawMessage            `json:"predicted,omitempty"`
}

type difference struct {
	OutOfSync bool            `json:"outOfSync"`
	Live      json.RawMessage `json:"live,omitempty"`
	Predicted json.RawMessage `json:"predicted,omitempty"`
}

func judgeDiff(input *json.Decoder) (any, error) {
	var pairs []pair
	if err := input.Decode(&pairs); err != nil {
		return nil, err
	}
	answers := make([]difference, len(pairs))
	for index, pair := range pairs {
		result, err := diff.Diff(pair.Target, pair.Live, options(pair)...)
		if err != nil {
			return nil, err
		}
		answers[index].OutOfSync = result.Modified
		if result.Modified {
			answers[index].Live, answers[index].Predicted = result.NormalizedLive, result.PredictedLive
		}
	}
	return answers, nil
}

func options(pair pair) []diff.Option {
	if len(pair.Predicted) == 0 {
		return nil
	}
	return []diff.Option{
		diff.WithServerSideDiff(true),
		diff.WithServerSideDryRunner(answered(pair.Predicted)),
		// Argo CD leaves out what webhooks change; nothing here may need that.
		diff.WithIgnoreMutationWebhook(false),
	}
}

// answered is the API server's answer to a dry run.
type answered json.RawMessage

func (answer answered) Run(context.Context, *unstructured.Unstructured, string) (string, error) {
	return string(answer), nil
}
