"""Every trait owned, each time: nothing of one session is left for the next on the same object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from dockerspawner import DockerSpawner
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner, Spawner
from kubespawner import KubeSpawner

from jupyter_mlinfn.profiles.spawners import docker, kube, local
from tests.profiles.spawners import goldens, plans, real

HOOKS_OF_THE_HUB = {
    # What the hub itself is, when it looks, and how it talks: the same for every session.
    "admin_access", "api_token", "apply_user_options", "auth_state_hook", "authenticator",
    "cert_paths", "config", "consecutive_failure_limit", "cookie_host_prefix_enabled",
    "cookie_options", "db", "death_interval", "debug", "disable_user_config", "env",
    "group_overrides", "handler", "http_timeout", "hub", "hub_connect_url",
    "internal_certs_location",
    "internal_ssl", "internal_trust_bundles", "ip", "log", "oauth_access_scopes",
    "oauth_client_allowed_scopes", "oauth_client_id", "oauth_roles", "options_form",
    "options_from_form", "orm_spawner", "parent", "poll_interval", "poll_jitter", "port",
    "post_stop_hook", "pre_spawn_hook", "progress_ready_hook", "proxy_spec", "public_hub_url",
    "public_url", "server_token_scopes", "ssl_alt_names", "ssl_alt_names_include_local",
    "start_timeout", "trusted_alt_names", "user", "user_options", "will_resume",
}  # fmt: skip
NAMES_AND_CONNECTIONS: dict[type[Spawner], set[str]] = {
    DockerSpawner: {
        # how the engine is reached, what a container is called, and aliases of old releases
        "certs_volume_name", "client_kwargs", "container_image", "container_ip",
        "container_name_template", "container_port", "container_prefix", "escape",
        "format_volume_name", "host_ip", "hub_ip_connect", "image_whitelist", "move_certs_image",
        "name_template", "object_id", "object_name", "prefix", "remove_containers", "tls",
        "tls_assert_hostname", "tls_ca", "tls_cert", "tls_config", "tls_key", "tls_verify",
        "use_docker_client_env", "use_internal_hostname",
    },
    KubeSpawner: {
        # how the cluster is reached, what a pod is called, how its events are shown, and the
        # claim that KubeSpawner would make itself (``storage_pvc_ensure`` is owned)
        "additional_profile_form_template_paths", "after_pod_created_hook", "common_labels",
        "component_label", "delete_grace_period", "delete_pvc", "dns_name_template",
        "enable_user_namespaces", "events_enabled", "get_pod_url", "handle_legacy_names",
        "hub_connect_ip", "hub_connect_port", "k8s_api_host", "k8s_api_request_retry_timeout",
        "k8s_api_request_timeout", "k8s_api_ssl_ca_cert", "k8s_api_threadpool_workers",
        "k8s_api_verify_ssl", "modify_pod_hook", "namespace", "pod_connect_ip",
        "pod_name_template", "profile_form_template", "pvc_name_template", "remember_pvc_name",
        "secret_mount_path", "secret_name_template", "services_enabled", "slow_spawn_message",
        "slow_spawn_message_frequency", "slow_spawn_message_threshold", "slug_scheme",
        "storage_access_modes", "storage_capacity", "storage_class", "storage_extra_annotations",
        "storage_extra_labels", "storage_selector", "user_namespace_annotations",
        "user_namespace_labels", "user_namespace_template",
    },
    LocalProcessSpawner: {"interrupt_timeout", "kill_timeout", "pid", "proc", "term_timeout"},
    SimpleLocalProcessSpawner: {
        "home_dir", "home_dir_template", "interrupt_timeout", "kill_timeout", "pid", "proc",
        "term_timeout",
    },
}  # fmt: skip
Traits = Mapping[str, Any]
OWNED: dict[type[Spawner], tuple[Traits, Traits]] = {
    DockerSpawner: (
        docker.traits(plans.EVERYTHING, plans.DOCKER, [plans.DEVICE], plans.LEASE),
        docker.traits(plans.NOTHING, plans.DOCKER),
    ),
    KubeSpawner: (
        kube.traits(plans.EVERYTHING_OF_A_CLUSTER, plans.KUBE),
        kube.traits(plans.NOTHING, plans.KUBE),
    ),
    LocalProcessSpawner: (
        local.traits(plans.EVERYTHING_OF_A_MACHINE, plans.LOCAL, [plans.DEVICE]),
        local.traits(plans.NOTHING, plans.LOCAL),
    ),
}
OWNED[SimpleLocalProcessSpawner] = OWNED[LocalProcessSpawner]
SPAWNERS = pytest.mark.parametrize("kind", OWNED, ids=lambda kind: kind.__name__)


def new(kind: type[Spawner]) -> Spawner:
    made: dict[type[Spawner], Callable[[], Spawner]] = {
        DockerSpawner: real.of_docker,
        KubeSpawner: real.of_kube,
        LocalProcessSpawner: lambda: real.of_process()[0],
        SimpleLocalProcessSpawner: lambda: real.of_process()[1],
    }
    return made[kind]()


async def what_starts(spawner: Spawner) -> Any:
    """What this spawner would ask its engine, cluster or system for."""
    if isinstance(spawner, real.Engine):
        return await real.container(spawner)
    if isinstance(spawner, KubeSpawner):
        return await real.pod(spawner)
    env = Spawner.get_env(spawner)
    return env, spawner.cmd, spawner.get_args(), spawner.popen_kwargs, spawner.shell_cmd


@SPAWNERS
async def test_nothing_of_the_first_session_is_left_for_the_second(kind: type[Spawner]) -> None:
    everything, nothing = OWNED[kind]
    used, fresh = new(kind), new(kind)
    real.apply(used, everything)
    assert await what_starts(used) != await what_starts(fresh)
    real.apply(used, nothing)
    real.apply(fresh, nothing)
    assert await what_starts(used) == await what_starts(fresh)
    differ = [
        name
        for name in kind.class_trait_names(config=True)
        if getattr(used, name) != getattr(fresh, name) and not callable(getattr(fresh, name))
    ]
    assert differ == []


@SPAWNERS
async def test_a_plan_is_applied_twice_as_once(kind: type[Spawner]) -> None:
    everything, _ = OWNED[kind]
    spawner = new(kind)
    real.apply(spawner, everything)
    once = await what_starts(spawner)
    await what_starts(spawner)  # an adapter's lists must not grow while a spawner uses them
    real.apply(spawner, everything)
    assert await what_starts(spawner) == once


@SPAWNERS
def test_each_trait_of_the_class_is_owned_or_named_here(kind: type[Spawner]) -> None:
    everything, nothing = OWNED[kind]
    assert set(everything) == set(nothing)
    known = set(everything) | HOOKS_OF_THE_HUB | NAMES_AND_CONNECTIONS[kind]
    public = {name for name in kind.class_trait_names() if not name.startswith("_")}
    assert public - known == set(), "a trait that nobody has thought about"
    assert set(everything) <= set(kind.class_trait_names()), "a trait that the class does not have"


@SPAWNERS
async def test_what_somebody_set_before_does_not_count(kind: type[Spawner]) -> None:
    """A group's override, an earlier profile, another plugin: the plan has the last word."""
    hostile: dict[type[Spawner], dict[str, Any]] = {
        DockerSpawner: {
            "extra_host_config": {"privileged": True, "pid_mode": "host", "network_mode": "host"},
            "extra_create_kwargs": {"user": "root"},
            "volumes": {"/": "/host"},
            "allowed_images": "*",
            "post_start_cmd": "id",
            "links": {"db": "db"},
            "environment": {"NVIDIA_VISIBLE_DEVICES": "all"},
        },
        KubeSpawner: {
            "privileged": True,
            "allow_privilege_escalation": True,
            "uid": 0,
            "container_security_context": {"privileged": True},
            "pod_security_context": {"runAsUser": 0},
            "service_account": "admin",
            "automount_service_account_token": True,
            "extra_pod_config": {"hostPID": True, "hostNetwork": True},
            "extra_container_config": {"envFrom": [{"secretRef": {"name": "keys"}}]},
            "extra_resource_limits": {"nvidia.com/gpu": "8"},
            "tolerations": [{"key": "reserved", "operator": "Exists"}],
            "init_containers": [{"name": "x", "image": "x"}],
            "extra_containers": [{"name": "x", "image": "x"}],
            "lifecycle_hooks": {"postStart": {"exec": {"command": ["id"]}}},
            "profile_list": [{"display_name": "x", "kubespawner_override": {"uid": 0}}],
        },
        LocalProcessSpawner: {"shell_cmd": ["bash", "-c"], "popen_kwargs": {"cwd": "/"}},
    }
    hostile[SimpleLocalProcessSpawner] = hostile[LocalProcessSpawner]
    _, nothing = OWNED[kind]
    used, fresh = new(kind), new(kind)
    real.apply(used, hostile[kind])
    real.apply(used, nothing)
    real.apply(fresh, nothing)
    assert await what_starts(used) == await what_starts(fresh)


@pytest.mark.parametrize("name", goldens.traits())
def test_the_traits_are_those_of_the_golden_file(name: str) -> None:
    assert goldens.traits()[name] == goldens.read(name)


async def test_the_containers_and_pods_are_those_of_the_golden_files() -> None:
    made = await goldens.made() | await goldens.shipped()
    files = {file.stem for file in goldens.FOLDER.glob("*.json")}
    assert set(made) | set(goldens.traits()) == files
    for name, thing in made.items():
        assert thing == goldens.read(name), name
