// Package awskeys loads a ring inside an AWS Lambda function: from Secrets Manager, the SSM Parameter Store or AppConfig, through
// the HTTP interfaces of the extensions that run beside the function. It needs the standard library alone; the
// extensions authenticate with the function's role and cache.
//
//	load := awskeys.SecretsManager("shop/signet-keys")
//	keys := signet.Must(load(ctx)) // during init, once
//	go keys.Watch(ctx, 0, load)
//
// A frozen function runs no goroutine; the first request after a thaw finds the ring overdue and loads it, which
// Watch sees to. The value is a key file or its short form, the whole ring: what Secrets Manager's own rotation swaps
// at once must hold the old key as well, so let its function run `signet keys rotate`.
//
// Both extensions answer from a cache (300 seconds by default for secrets and parameters): that, the interval of
// Watch, and the longest invocation together must stay within the policy's propagation.
package awskeys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/signet-go/signet"
)

// Load is what signet.Keyring.Watch takes.
type Load = func(context.Context) (*signet.Keyring, error)

// maxAnswer is above the largest secret (64 KiB) and parameter, in their JSON.
const maxAnswer = 1 << 20

// SecretsManager loads the secret of that name or ARN through the AWS Parameters and Secrets Lambda
// Extension, a layer of the function, at PARAMETERS_SECRETS_EXTENSION_HTTP_PORT or 2773
// (docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html). The role
// needs secretsmanager:GetSecretValue. Errors hold no part of the secret.
func SecretsManager(id string) Load {
	return func(ctx context.Context) (*signet.Keyring, error) {
		var out struct{ SecretString string }
		err := fetchJSON(ctx, extension("/secretsmanager/get", url.Values{"secretId": {id}}), &out)
		if err == nil && out.SecretString == "" {
			err = errors.New("the secret has no text; store the key file as SecretString, not as binary")
		}
		return ring("Secrets Manager", id, out.SecretString, err)
	}
}

// Parameter loads the SSM parameter of that name, decrypted, through the same extension as SecretsManager. The role needs
// ssm:GetParameter, and kms:Decrypt for a SecureString. A standard parameter holds 4 KiB: about 20 keys.
func Parameter(name string) Load {
	return func(ctx context.Context) (*signet.Keyring, error) {
		var out struct{ Parameter struct{ Value string } }
		err := fetchJSON(ctx, extension("/systemsmanager/parameters/get", url.Values{"name": {name}, "withDecryption": {"true"}}), &out)
		return ring("SSM parameter", name, out.Parameter.Value, err)
	}
}

// AppConfig loads a configuration profile through the AppConfig agent, a layer of the function, at
// AWS_APPCONFIG_EXTENSION_HTTP_PORT or 2772 (docs.aws.amazon.com/appconfig/latest/userguide/appconfig-integration-lambda-extensions.html).
// The role needs appconfig:StartConfigurationSession and appconfig:GetLatestConfiguration.
func AppConfig(application, environment, profile string) Load {
	return func(ctx context.Context) (*signet.Keyring, error) {
		port := cmp.Or(os.Getenv("AWS_APPCONFIG_EXTENSION_HTTP_PORT"), "2772")
		path := "/applications/" + url.PathEscape(application) + "/environments/" + url.PathEscape(environment) + "/configurations/" + url.PathEscape(profile)
		text, err := fetch(ctx, "http://localhost:"+port+path)
		return ring("AppConfig", profile, string(text), err)
	}
}

func extension(path string, query url.Values) string {
	return "http://localhost:" + cmp.Or(os.Getenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"), "2773") + path + "?" + query.Encode()
}

func ring(source, name, text string, err error) (*signet.Keyring, error) {
	var r *signet.Keyring
	if err == nil {
		r, err = signet.ParseKeyring([]byte(text))
	}
	if err != nil {
		return nil, fmt.Errorf("signet: keys from %s %q: %w", source, name, err)
	}
	return r, nil
}

func fetchJSON(ctx context.Context, from string, out any) error {
	text, err := fetch(ctx, from)
	if err != nil {
		return err
	}
	if json.Unmarshal(text, out) != nil { // its error may quote the text
		return errors.New("the extension's answer is not what its documentation says")
	}
	return nil
}

// client goes straight to this machine, whatever HTTP_PROXY says.
var client = &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConns: 2}}

func fetch(ctx context.Context, from string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Aws-Parameters-Secrets-Token", os.Getenv("AWS_SESSION_TOKEN"))
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w; is the extension a layer of this function, and does the port match?", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the extension answered %s; %s", res.Status, cure(res.StatusCode))
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("the extension's answer is over %d bytes", maxAnswer)
	}
	return text, nil
}

// cure says what is usually wrong. The body of an error is not shown: nobody promises what is in it.
func cure(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound:
		return "check the name, and that the function's role may read it"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "AWS_SESSION_TOKEN was not accepted, or the role may not read it"
	}
	return strings.TrimSpace("try again; the extension starts beside the function")
}
