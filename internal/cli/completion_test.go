package cli

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

// TestNames checks that only names that a shell takes literally are offered.
func TestNames(t *testing.T) {
	list := func() []string {
		return []string{"build", "api:test\tTest the API\x1b[31m\a", "$(touch x)a", "`x`", "a b", "a;b", "-n", "", "\tno name", "a\nb", "é", "a/b.c+d-e_f"}
	}
	got, directive := Names(list)(nil, nil, "")
	want := []cobra.Completion{"build\t", "api:test\tTest the API[31m", "a/b.c+d-e_f\t"}
	if !slices.Equal(got, want) || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("got %q, directive %d, want %q", got, directive, want)
	}
}
