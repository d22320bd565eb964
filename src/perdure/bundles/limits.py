"""The bounds of a bundle, and what each is for. What is over one is refused as a whole."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
ZIP_CEILINGS = (0xFFFF, 0xFFFF, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class BundleLimits:
    """How large a bundle may be; counted while it is read, never taken from its headers."""

    archive_bytes_max: int = 75 * MIB  # the archive as it is sent
    members_max: int = 4_096  # files and folders in it
    name_bytes_max: int = 512  # of one member's name
    member_bytes_max: int = 64 * MIB  # one member, inflated
    total_bytes_max: int = 256 * MIB  # all members, inflated
    ratio_max: int = 200  # inflated bytes for each packed one …
    ratio_from_bytes: int = 1 * MIB  # … judged only in members larger than this
    documents_bytes_max: int = 16 * MIB  # the manifest and all flows together
    values_max: int = 1_000_000  # values in them together, since each costs memory when parsed
    depth_max: int = 64  # levels of lists and objects in one of them
    integer_max: int = 2**53 - 1  # RFC 8259 §6: beyond this, readers may disagree

    def __post_init__(self) -> None:
        """Stay below what a zip can say of itself without zip64, which is not spoken here."""
        asked = (self.members_max, self.name_bytes_max, self.archive_bytes_max)
        if any(limit >= ceiling for limit, ceiling in zip(asked, ZIP_CEILINGS, strict=True)):
            raise ValueError(f"a zip holds less than {ZIP_CEILINGS} members, name bytes and bytes")


DEFAULT_LIMITS = BundleLimits()
