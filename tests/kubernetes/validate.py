"""Checks packaging/kubernetes: against the API's schemas, and against what the repository says elsewhere: validate.py.

Neither kustomize nor Helm is in Debian. Of kustomize, what our base uses is done here: its resources, the namespace, the labels, the
configuration and the image. The chart is rendered by render.go. The schemas are those of the package kubernetes-validate. The schema of a
PodMonitor is the Prometheus Operator's; what we use of it is compared with the names that are listed below.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

import kubernetes_validate
import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "packaging/kubernetes"
CHART = FOLDER / "chart"
# The oldest that the chart allows, and those that are maintained.
VERSIONS = ("1.25", "1.30", "1.33", "1.35")
# Fields of a PodMonitor that we use, as the operator's documentation of its API names them.
MONITOR = {
    "selector": {"matchLabels": None},
    "podMetricsEndpoints": {
        "port": None,
        "path": None,
        "interval": None,
        "authorization": {"type": None, "credentials": {"name": None, "key": None}},
        "relabelings": {"sourceLabels": None, "targetLabel": None},
    },
}
failures = []


def check(is_right, sentence):
    """Notes what is not as it should be."""
    if not is_right:
        failures.append(sentence)


def kustomized():
    """The base with its component, as kustomize makes it."""
    base = FOLDER / "base"
    rules = yaml.safe_load((base / "kustomization.yaml").read_text())
    component = FOLDER / "pod-monitor"
    files = [base / name for name in rules["resources"]]
    more = yaml.safe_load((component / "kustomization.yaml").read_text())["resources"]
    files += [component / name for name in more]
    resources = [yaml.safe_load(file.read_text()) for file in files]
    for generated in rules["configMapGenerator"]:
        data = {name: (base / name).read_text() for name in generated["files"]}
        resources.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generated["name"]}, "data": data})
    labels = rules["labels"][0]["pairs"]
    for it in resources:
        it["metadata"].setdefault("labels", {}).update(labels)
        if it["kind"] != "Namespace":
            it["metadata"]["namespace"] = rules["namespace"]
        if it["kind"] == "Service":
            it["spec"]["selector"] = dict(labels)
        if it["kind"] == "DaemonSet":
            it["spec"]["selector"] = {"matchLabels": dict(labels)}
            it["spec"]["template"]["metadata"].setdefault("labels", {}).update(labels)
            image = rules["images"][0]
            for container in it["spec"]["template"]["spec"]["containers"]:
                check(container["image"] == image["name"], "the base sets the tag of another image")
                container["image"] = f"{image['newName']}:{image['newTag']}"
    return resources


def charted(changes):
    """The chart with some values changed."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, value in changes.items():
        if isinstance(value, dict):
            values[name].update(value)
        else:
            values[name] = value
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    given = {"Values": values, "Release": {"Namespace": "sockleak"}, "Chart": {"AppVersion": about["appVersion"]}}
    program = ["go", "run", str(pathlib.Path(__file__).with_name("render.go")), str(CHART)]
    done = subprocess.run(program, input=json.dumps(given), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"the chart cannot be rendered: {done.stderr}")
    return [it for it in yaml.safe_load_all(done.stdout) if it]


def follows(value, allowed, place):
    """A PodMonitor has no field but those that are allowed."""
    for item in value if isinstance(value, list) else [value]:
        if allowed is None or not isinstance(item, dict):
            continue
        for name, inner in item.items():
            check(name in allowed, f"a PodMonitor has no field {place}.{name}")
            follows(inner, allowed.get(name), f"{place}.{name}")


def of_schema(resources, what):
    """Each resource is one of the API's, in each version."""
    for it in resources:
        if it["kind"] == "PodMonitor":
            follows(it["spec"], MONITOR, "spec")
            continue
        for version in VERSIONS:
            is_new = version != "1.25"
            spec = json.loads(json.dumps(it))
            if not is_new and spec["kind"] == "DaemonSet":
                # Older ones ignore it, and take the annotation.
                for container in spec["spec"]["template"]["spec"]["containers"]:
                    container["securityContext"].pop("appArmorProfile", None)
            try:
                kubernetes_validate.validate(spec, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                check(False, f"{what}, {it['kind']} by {version}: {'.'.join(map(str, error.path))}: {error.message}")


def fits_together(resources, what):
    """What one resource refers to is there, and ports and paths are those of the configuration."""
    by_kind = {it["kind"]: it for it in resources}
    config = tomllib.loads(by_kind["ConfigMap"]["data"]["config.toml"])
    pod = by_kind["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    check(config.get("target"), f"{what}: the configuration has no target")
    check(pod["hostPID"] and pod["hostNetwork"], f"{what}: the pod is not in the node's namespaces")
    check(pod["serviceAccountName"] == by_kind["ServiceAccount"]["metadata"]["name"], f"{what}: no such account")
    plain, public = (int(address.rsplit(":", 1)[1]) for address in config["http"]["listen"])
    check(container["ports"][0]["containerPort"] == public, f"{what}: another port is served")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        check((asked["host"], asked["port"]) == ("127.0.0.1", plain), f"{what}: the {probe} needs a token")
        check(asked["path"] in openapi_paths(), f"{what}: there is no path {asked['path']}")
    mounts = {it["mountPath"]: it for it in container["volumeMounts"]}
    volumes = {it["name"] for it in pod["volumes"]}
    check({it["name"] for it in mounts.values()} == volumes, f"{what}: volumes and mounts differ")
    check(config["store"]["directory"] in mounts, f"{what}: the store is in no volume")
    check(str(pathlib.Path(config["http"]["token_file"]).parent) in mounts, f"{what}: the token is in no volume")
    given = set(container["securityContext"]["capabilities"]["add"])
    check(given | {"SYS_ADMIN"} == service_capabilities(), f"{what}: the capabilities are not the service's: {given}")
    labels = by_kind["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    for selector in (by_kind["DaemonSet"]["spec"]["selector"]["matchLabels"], by_kind["Service"]["spec"]["selector"]):
        check(selector.items() <= labels.items(), f"{what}: a selector selects no pod")
    version = re.search(r'^version = "([^"]+)"', (REPOSITORY / "Cargo.toml").read_text(), re.M)[1]
    check(container["image"].endswith(f":{version}"), f"{what}: the image is not of version {version}")


def openapi_paths():
    """What the service answers."""
    return json.loads((REPOSITORY / "docs/openapi.json").read_text())["paths"].keys()


def service_capabilities():
    """The capabilities of the package's service."""
    unit = (REPOSITORY / "packaging/sockleak.service").read_text()
    lines = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M)
    return {name.removeprefix("CAP_") for line in lines for name in line.split()}


OVERRIDES = (
    {},
    {"podMonitor": {"enabled": True}},
    {"sysAdmin": False, "appArmorField": False},
    {"targets": [{"socket": "a\"b\\c.sock", "limit": 10}, {"socket": "*.sock"}], "image": {"tag": "0.1.0"}},
)


def main():
    """All of them."""
    rendered = [("the base", kustomized())]
    rendered += [(f"the chart with {change or 'its values'}", charted(change)) for change in OVERRIDES]
    for what, resources in rendered:
        of_schema(resources, what)
        fits_together(resources, what)
    for sentence in failures:
        print(sentence, file=sys.stderr)
    print(f"kubernetes: {len(rendered)} renderings, {len(failures)} faults")
    sys.exit(bool(failures))


main()
