use super::*;

const ID: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";

fn names(name: Option<&str>, image: Option<&str>) -> ContainerNames {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    ContainerNames {
        runtime: Runtime::Docker,
        id: ID.to_owned(),
        name: owned(name),
        image: owned(image),
        ..ContainerNames::default()
    }
}

fn read_docker(name: &str, image: &str, labels: &str) -> Option<ContainerNames> {
    let document = format!(
        r#"{{"StreamConfig":{{}},"State":{{"Running":true}},"ID":"{ID}","Config":{{"Hostname":"a","Image":{image},"Labels":{labels}}},
            "Name":{name},"Driver":"overlay2"}}"#
    );
    docker(document.as_bytes(), ID)
}

#[test]
fn docker_s_file_has_name_image_and_labels() {
    let labels = r#"{"com.docker.compose.project":"shop","com.docker.compose.service":"web","other":"x"}"#;
    let expected = ContainerNames {
        project: Some("shop".to_owned()),
        service: Some("web".to_owned()),
        ..names(Some("shop-web-1"), Some("registry.example:5000/shop/web:1.2"))
    };
    assert_eq!(
        read_docker(r#""/shop-web-1""#, r#""registry.example:5000/shop/web:1.2""#, labels),
        Some(expected)
    );
    let swarm = r#"{"com.docker.stack.namespace":"shop","com.docker.swarm.service.name":"shop_web"}"#;
    let found = read_docker(r#""/a""#, r#""b""#, swarm).expect("it is one");
    assert_eq!((found.project.as_deref(), found.service.as_deref()), (Some("shop"), Some("shop_web")));
    let pod = r#"{"io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.name":"web-0","io.kubernetes.container.name":"app"}"#;
    let found = read_docker(r#""/k8s_app_web-0_prod_uid_0""#, r#""sha256:0123""#, pod).expect("it is one");
    let of_pod = (found.namespace.as_deref(), found.pod.as_deref(), found.pod_container.as_deref());
    assert_eq!(of_pod, (Some("prod"), Some("web-0"), Some("app")));
}

/// Names that an engine would refuse are left out, and so is what is no text; nothing else of the document suffers.
#[test]
fn hostile_names_are_left_out() {
    for (name, expected) in [
        (r#""/\u001b[2Jweb""#, None),
        (r#""/we\nb""#, None),
        (r#""/\u202eweb""#, None),
        (r#""/../../etc/passwd""#, None),
        (r#""/a/b""#, None),
        (r#""/<b>""#, None),
        (r#""/[other containers]""#, None),
        (r#""/""#, None),
        (r#""""#, None),
        ("7", None),
        ("null", None),
        (r#"{"a":["b"]}"#, None),
        (r#""/web_1.a-b""#, Some("web_1.a-b")),
    ] {
        let found = read_docker(name, r#""nginx""#, "{}");
        assert_eq!(found, Some(names(expected, Some("nginx"))), "{name}");
    }
    let long =
        read_docker(&format!("\"/{}\"", "a".repeat(100_000)), r#""nginx""#, "null").expect("it is one");
    assert_eq!(long.name.expect("it has one").chars().count(), NAME + 1);
    for (labels, expected) in [
        (
            r#"{"com.docker.compose.project":"a\u001bb","com.docker.compose.service":"web"}"#,
            (None, Some("web")),
        ),
        (r#"{"com.docker.compose.project":{"a":1},"com.docker.compose.service":true}"#, (None, None)),
        ("[1]", (None, None)),
        ("false", (None, None)),
        (r#""x""#, (None, None)),
    ] {
        let found = read_docker(r#""/web""#, "1.5", labels).expect("it is one");
        assert_eq!((found.project.as_deref(), found.service.as_deref()), expected, "{labels}");
        assert_eq!(found.image, None);
    }
}

#[test]
fn what_is_no_such_document_gives_nothing() {
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"ID\":\"{ID}\",\"Config\":{}", "{\"Labels\":".repeat(100_000));
    for document in ["", "{", "null", "[]", "7", "\"x\"", "{\"ID\":\"another\"}", &deep, &nested, "\u{0}"] {
        assert_eq!(docker(document.as_bytes(), ID), None, "{document:.40}");
        assert_eq!(storage(document.as_bytes(), ID), None, "{document:.40}");
    }
    assert_eq!(docker(&[0xff, 0xfe], ID), None);
    for document in ["", "{", "null", "7", &deep] {
        assert_eq!(bundle(document.as_bytes(), ID, Runtime::Containerd), None, "{document:.40}");
    }
}

#[test]
fn podman_s_list_has_name_and_image() {
    let list = format!(
        r#"[{{"id":"0000","names":["other"],"metadata":"{{}}"}},
            {{"id":"{ID}","names":["web"],"image":"0123","layer":"4567","created":"2026-01-01T00:00:00Z",
              "metadata":"{{\"image-name\":\"docker.io/library/nginx:1.25\",\"image-id\":\"0123\",\"name\":\"web\",\"created-at\":1}}",
              "flags":{{"MountLabel":""}}}}]"#
    );
    let podman = |name, image| ContainerNames { runtime: Runtime::Podman, ..names(name, image) };
    let found = storage(list.as_bytes(), ID);
    assert_eq!(found, Some(podman(Some("web"), Some("docker.io/library/nginx:1.25"))));
    assert_eq!(storage(list.as_bytes(), "1111"), None);
    for (entry, name) in [
        (r#""names":["web"],"metadata":"{broken""#, Some("web")),
        (r#""names":["a\u001bb","web"],"metadata":7"#, None),
        (r#""names":"web","metadata":null"#, Some("web")),
        (r#""names":null"#, None),
    ] {
        let list = format!(r#"[{{"id":"{ID}",{entry}}}]"#);
        assert_eq!(storage(list.as_bytes(), ID), Some(podman(name, None)), "{entry}");
    }
}

#[test]
fn annotations_tell_of_pods() {
    let containerd = r#"{"ociVersion":"1.0.2","process":{"args":["a"]},"annotations":{
        "io.kubernetes.cri.container-name":"app","io.kubernetes.cri.container-type":"container",
        "io.kubernetes.cri.image-name":"docker.io/library/busybox:latest","io.kubernetes.cri.sandbox-id":"0123",
        "io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"prod"}}"#;
    let crio = r#"{"annotations":{"io.kubernetes.container.name":"app","io.kubernetes.pod.name":"web-0",
        "io.kubernetes.pod.namespace":"prod","io.kubernetes.cri-o.ImageName":"docker.io/library/busybox:latest"}}"#;
    for (document, runtime) in [(containerd, Runtime::Containerd), (crio, Runtime::CriO)] {
        let expected = ContainerNames {
            runtime,
            namespace: Some("prod".to_owned()),
            pod: Some("web-0".to_owned()),
            pod_container: Some("app".to_owned()),
            ..names(None, Some("docker.io/library/busybox:latest"))
        };
        assert_eq!(bundle(document.as_bytes(), ID, runtime), Some(expected));
    }
    let nerdctl = bundle(br#"{"annotations":{"nerdctl/name":"web"}}"#, ID, Runtime::Containerd);
    assert_eq!(nerdctl.and_then(|it| it.name).as_deref(), Some("web"));
    for document in
        ["{}", r#"{"annotations":null}"#, r#"{"annotations":["a"]}"#, r#"{"annotations":{"nerdctl/name":7}}"#]
    {
        let expected = ContainerNames { runtime: Runtime::Containerd, ..names(None, None) };
        assert_eq!(
            bundle(document.as_bytes(), "x", Runtime::Containerd),
            Some(ContainerNames { id: "x".to_owned(), ..expected })
        );
    }
}

#[test]
fn folders_of_logs_name_pods() {
    let uid = "0a1b2c3d-1111-2222-3333-444455556666";
    let name = format!("prod_web-0_{uid}");
    assert_eq!(pod_folder(&name), Some(("prod".to_owned(), "web-0".to_owned(), uid)));
    for name in ["prod_web-0", "prod_web_0_uid", "_web_uid", "a\u{1b}_web_uid", ""] {
        assert_eq!(pod_folder(name), None, "{name}");
    }
}
