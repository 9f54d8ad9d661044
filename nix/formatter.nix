# `nix fmt`: formats the tracked files among its arguments, or without arguments all
# below the current directory.
pkgs:
pkgs.writeShellApplication {
  name = "format";
  runtimeInputs = [
    pkgs.gitMinimal
    pkgs.go
    pkgs.nixfmt
  ];
  text = ''
    git ls-files -z -- "$@" | while IFS= read -r -d "" file; do
      case $file in
      *.go) gofmt -w "$file" ;;
      *.nix) nixfmt "$file" ;;
      esac
    done
  '';
}
