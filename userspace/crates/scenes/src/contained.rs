//! A scene with a container.

use sockleak_core::event::{ContainerNames, Runtime};

use crate::scene::{self, CONTAINER, RENEWER, Scene};

/// [`busy`](scene::busy) with names of the container that one of its programs runs in.
pub fn contained() -> Scene {
    let mut scene = scene::busy();
    let text = |text: &str| Some(text.to_owned());
    scene.contain(
        RENEWER + 20,
        ContainerNames {
            runtime: Runtime::Docker,
            id: CONTAINER.to_owned(),
            name: text("shop-renewer-1"),
            image: text("registry.example/renewer:1.4"),
            project: text("shop"),
            service: text("renewer"),
            namespace: text("prod"),
            pod: text("web-0"),
            pod_container: text("renewer"),
        },
    );
    scene
}
