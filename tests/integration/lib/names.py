"""Host names of a test's own."""


class Names:
    """/etc/hosts and how names are looked up, as one daemon sees them."""

    def __init__(self, folder, sources="files", resolv="", **names):
        self.hosts = folder / "hosts"
        self.set(**names)
        (folder / "nsswitch.conf").write_text(f"hosts: {sources}\n")
        (folder / "resolv.conf").write_text(resolv)
        mounts = " && ".join(
            f"mount --bind {folder}/{name} /etc/{name}"
            for name in ("hosts", "nsswitch.conf", "resolv.conf"))
        self.prefix = ["unshare", "--mount", "sh", "-c",
                       mounts + ' && exec "$@"', "sh"]

    def set(self, **names):
        """In place: it is mounted."""
        text = "127.0.0.1 localhost\n"
        for name, address in names.items():
            text += f"{address} {name}.test\n"
        self.hosts.write_text(text)
