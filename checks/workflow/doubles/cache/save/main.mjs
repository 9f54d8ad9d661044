// actions/cache/save
import * as core from "@actions/core";
import { main } from "../inputs.mjs";
import { save } from "../save.mjs";

await main(() => save(core.getInput("key", { required: true })));
