# The part of nixpkgs' lib that the flake uses. Every function must behave as it does
# there; one that is missing is an evaluation error.
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    foldl'
    isAttrs
    isFunction
    listToAttrs
    mapAttrs
    replaceStrings
    stringLength
    substring
    ;

  lib = {
    inherit (builtins)
      all
      any
      attrNames
      attrValues
      concatLists
      concatMap
      concatStringsSep
      elem
      elemAt
      filter
      foldl'
      head
      isAttrs
      isFunction
      isList
      length
      mapAttrs
      match
      removeAttrs
      tail
      toJSON
      ;

    fix =
      f:
      let
        x = f x;
      in
      x;
    importJSON = path: builtins.fromJSON (builtins.readFile path);

    # lists
    optional = condition: x: if condition then [ x ] else [ ];
    imap0 = f: list: builtins.genList (n: f n (builtins.elemAt list n)) (builtins.length list);

    # attribute sets
    collect =
      wanted: x:
      if wanted x then
        [ x ]
      else if isAttrs x then
        concatMap (lib.collect wanted) (builtins.attrValues x)
      else
        [ ];
    filterAttrs =
      wanted: set: removeAttrs set (filter (name: !(wanted name set.${name})) (attrNames set));
    genAttrs =
      names: f:
      listToAttrs (
        map (name: {
          inherit name;
          value = f name;
        }) names
      );
    isDerivation = x: isAttrs x && (x.type or null) == "derivation";
    mapAttrs' = f: set: listToAttrs (lib.mapAttrsToList f set);
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    mergeAttrsList = foldl' (a: b: a // b) { };
    nameValuePair = name: value: { inherit name value; };
    optionalAttrs = condition: set: if condition then set else { };

    # strings
    boolToString = x: if x then "true" else "false";
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    concatMapStrings = lib.concatMapStringsSep "";
    escapeShellArg =
      x:
      let
        text = toString x;
      in
      if builtins.match "[[:alnum:],._+:@%/-]+" text != null then
        text
      else
        "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
    escapeShellArgs = lib.concatMapStringsSep " " lib.escapeShellArg;
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      let
        start = stringLength text - stringLength suffix;
      in
      start >= 0 && substring start (-1) text == suffix;
    makeBinPath = lib.concatMapStringsSep ":" (package: "${lib.getBin package}/bin");
    optionalString = condition: text: if condition then text else "";
    removePrefix =
      prefix: text: if lib.hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    removeSuffix =
      suffix: text:
      if lib.hasSuffix suffix text then
        substring 0 (stringLength text - stringLength suffix) text
      else
        text;

    # packages
    callPackageWith =
      packages: path: overrides:
      let
        f = if isFunction path then path else import path;
      in
      f (builtins.intersectAttrs (builtins.functionArgs f) packages // overrides);
    getBin =
      package:
      if package.outputSpecified or false then package else package.bin or package.out or package;
    getExe = package: "${lib.getBin package}/bin/${package.meta.mainProgram}";
    licenses.mit = {
      spdxId = "MIT";
      free = true;
    };

    fileset = import ./fileset.nix lib;
    types = import ./types.nix lib;
    inherit (import ./modules.nix lib)
      evalModules
      isOption
      literalExpression
      mkAfter
      mkDefault
      mkForce
      mkIf
      mkOption
      ;
  };
in
lib
