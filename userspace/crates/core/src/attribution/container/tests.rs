use super::*;

const ID: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";
const OTHER: &str = "aaaabbbbccccdddd8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";
const POD: &str = "0a1b2c3d-1111-2222-3333-444455556666";

#[test]
fn units_are_the_innermost_services() {
    for (path, expected) in [
        ("/system.slice/haproxy.service", Some("haproxy.service")),
        ("/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service", Some("sync.service")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-vte-7.scope", Some("app-vte-7.scope")),
        ("/system.slice/system-getty.slice/getty@tty1.service", Some("getty@tty1.service")),
        ("/", None),
        ("", None),
        ("/system.slice", None),
    ] {
        assert_eq!(Membership::of(path).unit.as_deref(), expected, "{path}");
        assert_eq!(Membership::of(path).container, None, "{path}");
    }
    let of_user = Membership::of("/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service");
    assert_eq!(of_user.manager, Some(1000));
}

#[test]
fn containers_are_found_by_runtime() {
    let slice = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
        POD.replace('-', "_")
    );
    for (path, runtime, in_pod) in [
        (format!("/system.slice/docker-{ID}.scope"), Runtime::Docker, false),
        (format!("/docker/{ID}"), Runtime::Docker, false),
        (format!("/docker/{ID}/init.scope"), Runtime::Docker, false),
        (format!("/machine.slice/libpod-{ID}.scope/container"), Runtime::Podman, false),
        (format!("/libpod_parent/libpod-{ID}"), Runtime::Podman, false),
        (format!("/system.slice/web.service/libpod-payload-{ID}"), Runtime::Podman, false),
        (format!("{slice}/cri-containerd-{ID}.scope"), Runtime::Containerd, true),
        (format!("{slice}/crio-{ID}.scope"), Runtime::CriO, true),
        (format!("/kubepods/besteffort/pod{POD}/{ID}"), Runtime::Unknown, true),
    ] {
        let container = Membership::of(&path).container.expect(&path);
        assert_eq!((container.runtime, container.id.as_str()), (runtime, ID), "{path}");
        assert_eq!(container.pod.as_deref(), in_pod.then_some(POD), "{path}");
        let sought = Sought::of(&path).expect(&path);
        assert_eq!(
            (sought.runtime, sought.id, sought.pod.as_deref()),
            (runtime, ID, in_pod.then_some(POD)),
            "{path}"
        );
    }
    let fixed = Membership::of(&format!("/kubepods/burstable/pod{}/{ID}", "0a1b2c3d".repeat(4)));
    assert_eq!(fixed.container.and_then(|it| it.pod), Some("0a1b2c3d".repeat(4)));
    for path in [
        "/system.slice/docker.service",
        "/docker/short",
        "/system.slice/docker-xyz.scope",
        &format!("/libpod_parent/libpod-conmon-{ID}"),
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt",
        "/machine.slice/machine-web.scope/supervisor",
        "/lxc.monitor.web",
    ] {
        assert_eq!(Membership::of(path).container, None, "{path}");
    }
}

#[test]
fn some_have_their_name_in_the_path() {
    for (path, expected, unit) in [
        ("/lxc.payload.web/system.slice/nginx.service", "lxc web", Some("nginx.service")),
        ("/lxc/101/ns/init.scope", "lxc 101", Some("init.scope")),
        ("/machine.slice/machine-my\\x2dweb.scope/payload", "systemd-nspawn my-web", None),
        (
            "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
            "systemd-nspawn web",
            Some("nginx.service"),
        ),
    ] {
        let Membership { unit: found, container, .. } = Membership::of(path);
        assert_eq!((container.expect(path).short().as_str(), found.as_deref()), (expected, unit), "{path}");
        assert_eq!(Sought::of(path), None, "{path}");
    }
    for (name, expected) in
        [("a\\x2db", "a-b"), ("a\\xzz", "a\\xzz"), ("a\\x2", "a\\x2"), ("\\xff", "\u{fffd}"), ("a\\", "a\\")]
    {
        assert_eq!(unescaped(name), expected);
    }
}

#[test]
fn the_scope_of_a_container_is_no_unit() {
    assert_eq!(Membership::of(&format!("/system.slice/docker-{ID}.scope")).unit, None);
    let quadlet = Membership::of(&format!("/system.slice/web.service/libpod-payload-{ID}"));
    assert_eq!(quadlet.unit.as_deref(), Some("web.service"));
}

/// Docker in Docker: the inner one counts, and only the outer one may be named by files of this host.
#[test]
fn nested_containers_keep_the_outer_one() {
    let path = format!("/system.slice/docker-{OTHER}.scope/docker/{ID}");
    let container = Membership::of(&path).container.expect("it is one");
    assert_eq!((container.id.as_str(), container.outer.as_deref()), (ID, Some("docker aaaabbbbcccc")));
    assert_eq!(Sought::of(&path).map(|it| it.id), Some(OTHER));
    let outer = ContainerNames {
        runtime: Runtime::Docker,
        id: OTHER.to_owned(),
        name: Some("kind".to_owned()),
        ..ContainerNames::default()
    };
    let container = Membership::named(&path, Some(&outer)).container.expect("it is one");
    assert_eq!(container.described(), "docker 8f3c1d2e4b5a, within docker kind");
    // What a container of LXC runs has no files on this host.
    assert_eq!(Sought::of(&format!("/lxc.payload.web/docker/{ID}")), None);
}

#[test]
fn names_are_those_of_the_engine() {
    let path = format!("/kubepods/besteffort/pod{POD}/{ID}");
    let text = |text: &str| Some(text.to_owned());
    let names = ContainerNames {
        runtime: Runtime::Containerd,
        id: ID.to_owned(),
        image: text("docker.io/library/busybox:latest"),
        namespace: text("prod"),
        pod: text("web-0"),
        pod_container: text("app"),
        ..ContainerNames::default()
    };
    let container = Membership::named(&path, Some(&names)).container.expect("it is one");
    assert_eq!(container.described(), "containerd prod/web-0/app, image docker.io/library/busybox:latest");
    assert_eq!((container.pod.as_deref(), container.pod_path().as_deref()), (Some(POD), Some("prod/web-0")));
    // The sandbox has no name of its own.
    let sandbox =
        Membership::named(&path, Some(&ContainerNames { pod_container: None, image: None, ..names }));
    assert_eq!(sandbox.container.expect("it is one").described(), "containerd prod/web-0/8f3c1d2e4b5a");
    let compose = ContainerNames {
        runtime: Runtime::Docker,
        id: ID.to_owned(),
        name: text("shop-web-1"),
        project: text("shop"),
        service: text("web"),
        ..ContainerNames::default()
    };
    let compose = Membership::named(&format!("/docker/{ID}"), Some(&compose)).container.expect("it is one");
    assert_eq!(compose.described(), "docker shop-web-1, service web of shop");
}

/// A user makes any control group below his own systemd: what he calls a container of the host's is none.
#[test]
fn containers_of_users_are_told_apart() {
    let path =
        format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container");
    let membership = Membership::of(&path);
    assert_eq!(membership.container.expect("it is one").short(), "podman 8f3c1d2e4b5a (of user 1000)");
    assert_eq!(Sought::of(&path).and_then(|it| it.user), Some(1000));
}

#[test]
fn short_ids_are_containers_once_an_engine_knows_them() {
    for (path, expected) in [
        ("/default/leaker", Some(("default", "leaker"))),
        ("/default/leaker/child", Some(("default", "leaker"))),
        ("/k8s.io/a_b.c-1", Some(("k8s.io", "a_b.c-1"))),
        ("/default", None),
        ("/", None),
        ("/system.slice/haproxy.service", None),
        ("/default/-x", None),
        ("/default/a\u{1b}b", None),
        ("/default/..", None),
    ] {
        let sought = Sought::of(path);
        assert_eq!(sought.map(|it| (it.namespace.unwrap_or_default(), it.id)), expected, "{path}");
        assert_eq!(Membership::of(path).container, None, "{path}");
    }
    let names =
        ContainerNames { runtime: Runtime::Containerd, id: "leaker".to_owned(), ..ContainerNames::default() };
    let container = Membership::named("/default/leaker", Some(&names)).container.expect("it is one");
    assert_eq!(container.described(), "containerd leaker");
}
