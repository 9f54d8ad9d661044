// Package environ returns the environment for git and Nix, which do not get the
// secrets of a CI job.
package environ

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// names are the variables that a program needs to find itself, its user, its
// configuration and the network. A name that ends with an asterisk is a prefix.
var names = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "SUDO_*",
	"TMPDIR", "TMP", "TEMP", "TEMPDIR", "TERM", "TZ", "TZDIR", "LANG", "LANGUAGE", "LC_*", "LOCALE_ARCHIVE*", "XDG_*",
	"LD_*", "DYLD_*",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
	"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
	"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
}

// For returns the variables of this process that every program needs, and those
// that more lists: names, or prefixes that end with an asterisk. All others are
// left out, because any of them may be a secret: CACHEKEY_SEAL_KEY, tokens.
func For(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if listed(names, name) || listed(more, name) {
			env = append(env, e)
		}
	}
	return env
}

// A Setting is a variable of git's configuration.
type Setting struct{ Name, Value string }

// WithGit is For with the configuration of git in the environment. With the settings
// that it adds to yours, git asks nothing, fetches no object that a partial clone
// lacks, and runs no program that .git/config or .git/hooks of a checkout names. See
// git-config(1), GIT_CONFIG_COUNT.
func WithGit(settings []Setting, more ...string) []string {
	n, err := strconv.Atoi(os.Getenv("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	env := append(For(append(more, "GIT_CONFIG*")...), "GIT_TERMINAL_PROMPT=0",
		"GIT_NO_LAZY_FETCH=1") // since git 2.44
	for _, s := range append([]Setting{{"core.fsmonitor", "false"}, {"core.hooksPath", "/dev/null"}}, settings...) {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, s.Name), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, s.Value))
		n++
	}
	return append(env, fmt.Sprint("GIT_CONFIG_COUNT=", n))
}

func listed(list []string, name string) bool {
	return slices.ContainsFunc(list, func(l string) bool {
		prefix, ok := strings.CutSuffix(l, "*")
		return ok && strings.HasPrefix(name, prefix) || l == name
	})
}
