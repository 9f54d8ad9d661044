package workflow

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// release serves scripts that print their version as a release of release.yml. It
// returns its address, and the digest of its SHA256SUMS.
func release(t *testing.T, edit func(files map[string]string)) (url, sums string) {
	t.Helper()
	files := map[string]string{}
	var lines string
	for _, program := range []string{"cachekey", "same"} {
		for _, system := range []string{"x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"} {
			name := program + "-" + system
			files[name] = fmt.Sprintf("#!/bin/sh\necho %s 9.8.7 for %s\n", program, system)
			lines += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(files[name])), name)
		}
	}
	files["SHA256SUMS"] = lines
	edit(files)
	own := ownVersion(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// There are two releases: this one, and the one that the action belongs to.
		name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v9.8.7/"), "/"+own+"/")
		content, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, content)
	}))
	t.Cleanup(server.Close)
	return server.URL, fmt.Sprintf("%x", sha256.Sum256([]byte(files["SHA256SUMS"])))
}

// install runs action/install.sh as a step of action.yml does, without Nix.
func install(t *testing.T, env ...string) (out string, path string, err error) {
	t.Helper()
	script, absErr := filepath.Abs(filepath.Join(root, "action/install.sh"))
	must(t, absErr)
	temp := t.TempDir()
	path = filepath.Join(temp, "path")
	cmd := exec.Command("bash", script)
	cmd.Dir = temp
	cmd.Env = append([]string{
		"PATH=/usr/bin:/bin", "HOME=" + temp, "RUNNER_TEMP=" + temp, "GITHUB_PATH=" + path,
		"INPUT_FROM=auto", "INPUT_VERSION=", "INPUT_DIGEST=", "INPUT_RELEASES=", "INPUT_FLAKE=",
		"ACTION_REPOSITORY=", "ACTION_REF=",
	}, env...)
	all, err := cmd.CombinedOutput()
	added, _ := os.ReadFile(path)
	return string(all), strings.TrimSpace(string(added)), err
}

func TestInstallFromRelease(t *testing.T) {
	url, sums := release(t, func(map[string]string) {})
	for name, env := range map[string][]string{
		"by version":                {"INPUT_VERSION=v9.8.7"},
		"the action's own":          {},
		"the action's own, by name": {"INPUT_FROM=release"},
		"with a digest":             {"INPUT_VERSION=v9.8.7", "INPUT_DIGEST=" + sums},
		"asked for":                 {"INPUT_VERSION=v9.8.7", "INPUT_FROM=release"},
	} {
		t.Run(name, func(t *testing.T) {
			out, path, err := install(t, append(env, "INPUT_RELEASES="+url)...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, program := range []string{"cachekey", "same"} {
				printed := command(t, ".", filepath.Join(path, program))
				if want := program + " 9.8.7 for " + runnerSystem(); printed != want {
					t.Errorf("%s on PATH: got %q, want %q", program, printed, want)
				}
			}
		})
	}
}

func TestInstallRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(map[string]string)
		env  []string
		want string
	}{
		"a binary that was changed": {
			func(files map[string]string) {
				for name := range files {
					if name != "SHA256SUMS" {
						files[name] += "echo more\n"
					}
				}
			},
			[]string{"INPUT_VERSION=v9.8.7"}, "does not match its digest",
		},
		"digests that were changed": {
			func(map[string]string) {},
			[]string{"INPUT_VERSION=v9.8.7", "INPUT_DIGEST=" + strings.Repeat("0", 64)}, "has the digest",
		},
		"digests that leave it out": {
			func(files map[string]string) { files["SHA256SUMS"] = "\n" },
			[]string{"INPUT_VERSION=v9.8.7"}, "does not name cachekey-",
		},
		"digests of something else": {
			func(files map[string]string) {
				files["SHA256SUMS"] = strings.ReplaceAll(files["SHA256SUMS"], "  ", "  other/")
			},
			[]string{"INPUT_VERSION=v9.8.7"}, "does not name cachekey-",
		},
		"a release that is not there": {
			func(map[string]string) {},
			[]string{"INPUT_VERSION=v1.2.3"}, `is "v1.2.3" a release?`,
		},
		"a flake without an address": {func(map[string]string) {}, []string{"INPUT_FROM=flake"}, "needs `flake`"},
		"a PATH without it":          {func(map[string]string) {}, []string{"INPUT_FROM=path"}, "no cachekey on PATH"},
		"an unknown source":          {func(map[string]string) {}, []string{"INPUT_FROM=npm"}, "is not auto, release, flake or path"},
		"auto with nothing to take from": {
			func(files map[string]string) { clear(files) },
			[]string{}, "found no release, no cachekey on PATH and no Nix",
		},
		"a release that lacks this system": {
			func(files map[string]string) {
				for name := range files {
					if name != "SHA256SUMS" {
						delete(files, name)
					}
				}
			},
			[]string{}, "has no cachekey for",
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := release(t, c.edit)
			out, path, err := install(t, append(c.env, "INPUT_RELEASES="+url)...)
			if err == nil || !strings.Contains(out, "::error title=cachekey::") || !strings.Contains(out, c.want) {
				t.Errorf("ended with %v, want an error with %q:\n%s", err, c.want, out)
			}
			if path != "" {
				t.Errorf("%s is on PATH", path)
			}
		})
	}
}

// TestInstallFollowsNoRedirectToHTTP checks that install.sh refuses a redirect from
// https to http.
func TestInstallFollowsNoRedirectToHTTP(t *testing.T) {
	url, _ := release(t, func(map[string]string) {})
	for _, c := range []struct {
		to string
		ok bool
	}{{url, false}, {"", true}} {
		secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.to != "" {
				http.Redirect(w, r, c.to+r.URL.Path, http.StatusFound)
				return
			}
			answer, err := http.Get(url + r.URL.Path)
			must(t, err)
			defer answer.Body.Close()
			io.Copy(w, answer.Body)
		}))
		defer secure.Close()
		trusted := filepath.Join(t.TempDir(), "ca.pem")
		must(t, os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o644))
		out, path, err := install(t, "INPUT_VERSION=v9.8.7", "INPUT_RELEASES="+secure.URL, "CURL_CA_BUNDLE="+trusted)
		if (err == nil) != c.ok || (path != "") != c.ok {
			t.Errorf("redirected to %q: got %v and %q on PATH, want success: %v\n%s", c.to, err, path, c.ok, out)
		}
	}
}

// TestInstallFromPathWithoutRelease checks that the programs on PATH are used if
// there is no release.
func TestInstallFromPathWithoutRelease(t *testing.T) {
	url, _ := release(t, func(files map[string]string) { clear(files) })
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "cachekey"), []byte("#!/bin/sh\necho cachekey 5.6.7\n"), 0o755))
	out, path, err := install(t, "INPUT_RELEASES="+url, "PATH="+bin+":/usr/bin:/bin")
	if err != nil || !strings.Contains(out, "cachekey 5.6.7, from its path: "+bin) || path != "" {
		t.Errorf("%v, PATH gets %q:\n%s", err, path, out)
	}
}

// runnerSystem returns this machine's system, as Nix names it.
func runnerSystem() string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + "-" + runtime.GOOS
}
