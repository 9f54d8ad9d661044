package environ

import (
	"slices"
	"testing"
)

func TestFor(t *testing.T) {
	for _, name := range []string{"CACHEKEY_SEAL_KEY", "GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "SAME_REMOTE_TOKEN", "AWS_SECRET_ACCESS_KEY", "GIT_DIR", "NIX_CONFIG", "https_proxy", "LC_CTYPE", "SUDO_UID"} {
		t.Setenv(name, "x")
	}
	got := For("NIX_*")
	for name, want := range map[string]bool{
		"CACHEKEY_SEAL_KEY": false, "GITHUB_TOKEN": false, "ACTIONS_RUNTIME_TOKEN": false, "SAME_REMOTE_TOKEN": false,
		"AWS_SECRET_ACCESS_KEY": false, "GIT_DIR": false,
		"NIX_CONFIG": true, "https_proxy": true, "LC_CTYPE": true, "SUDO_UID": true,
	} {
		if slices.Contains(got, name+"=x") != want {
			t.Errorf("%s is in the environment: got %v, want %v", name, !want, want)
		}
	}
}
