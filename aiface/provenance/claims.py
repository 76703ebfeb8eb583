"""What a file says of its own origin. It stands beside the score and is never mixed into it.

Saving a picture anew removes every mark, and anyone can write one, but for a signature that holds. So that there is
none says nothing, and one that is there is the word of whoever wrote it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiface.provenance.manifests import read_manifest
from aiface.provenance.tags import plain, read_tags

ABSENCE = (
    "That no such mark was found proves nothing: most files carry none, pictures lose theirs when they are sent or "
    "saved anew, and marks can be removed or forged."
)
NOT_LOOKED_FOR = "not looked for: it takes c2pa-python (pip install 'aiface[provenance]')"
UNCHECKED = "found, but not validated, which takes c2pa-python (pip install 'aiface[provenance]')"
MOST_ACTIONS = 20
STATES = {
    "Trusted": "signed by someone on a trust list, and unchanged since",
    "Valid": "signed, and unchanged since; whether the signer is who it says was not checked",
    "Invalid": "signed, but the signature is broken or the file was changed since",
}
SHOWN = 300  # characters of a value
EXCERPT = 120  # characters of what a file claims
# A file must not make this process call home: for a manifest that lies elsewhere, or for revoked certificates
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


@dataclass(frozen=True)
class Claim:
    """A way in which files say that they were generated.

    tags: regular expression of the whole name of a tag. text: one that is found in its value. Both ignore case.
    source: the standard or the program that writes it so.
    """

    tags: str
    text: str
    source: str


TOOL_TAGS = (
    r"EXIF (Processing)?Software|EXIF (Make|Model)|IPTC (program|credit|source)|C2PA (generator|action)|"
    r"XMP (CreatorTool|softwareAgent|Software|Credit|Source)|text (software|source|generator|creator_tool)|"
    r"(container|video|audio) (encoder|encoded_by|software|handler_name|publisher|com\.\S+\.software)"
)
COMMENTS = (
    r"EXIF (ImageDescription|UserComment|XPComment)|text \w+|XMP (description|UserComment)|\w+ (comment|description)"
)
GENERATORS = (  # those that are also words or people's names, with what tells them apart; in TOOL_TAGS alone
    r"midjourney|dall[-. \u00b7]?e\b|stable[-_ ]?diffusion|\bsdxl|novelai|comfyui|invokeai|fooocus|automatic1111|"
    r"draw things|easy diffusion|swarmui|firefly|ideogram|leonardo\.ai|(bing )?image creator|craiyon|playground ai|"
    r"openai|chatgpt|gpt-?4o|gpt-image|\bsora\b|google (generative )?ai|imagen[- ]?\d|\bveo[- ]?\d|gemini[- ]\d|"
    r"\bflux\.?[12]|black forest labs|stability ai|\brunway|pika labs|\bkling|hailuo|luma ai|dream machine|"
    r"seedream|seedance|jimeng|qwen-?image|\bgrok\b|heygen|synthesia|\bd-id\b|"
    r"image playground|apple intelligence|imagine(d)? with (meta )?ai|meta ai\b|"
    r"deepfacelab|deepfacelive|facefusion|faceswap|\breface\b|artbreeder|thispersondoesnotexist"
)
CLAIMS = (
    Claim(
        r"XMP DigitalSource(File)?Type|C2PA action",
        r"\b(trainedAlgorithmicMedia|compositeWithTrainedAlgorithmicMedia|compositeSynthetic)\b",
        "IPTC's Digital Source Type NewsCodes, which C2PA uses too",
    ),
    Claim(r"XMP AI(SystemUsed|SystemVersionUsed|PromptInformation|PromptWriterName)", r"\w", "IPTC 2025.1"),
    Claim(r"\w+ aigc", r"\blabel\W+[123]\b", "China's GB 45438-2025: generated, perhaps generated, suspected"),
    Claim(TOOL_TAGS, GENERATORS, "a generator that gives its name"),
    Claim(COMMENTS, r"\bSteps: \d+, .{0,99}(Sampler|CFG scale): |sui_image_params", "Stable Diffusion web UI, SwarmUI"),
    Claim(
        rf"EXIF (Make|Model)|\w+ (workflow|prompt)|{COMMENTS}",
        r"^(prompt|workflow): ?\{|\"class_type\"|\"last_node_id\"|^\{.{0,2000}\"nodes\" ?: ?\[ ?(\{|\])",
        "ComfyUI: its graph as JSON, in PNG, WebP or video",
    ),
    Claim(
        r"text (invokeai_\w+|sd-metadata|dream|fooocus_scheme|generation_data|use_stable_diffusion_model)",
        r"\w",
        "InvokeAI, Fooocus, Tensor.Art, Easy Diffusion",
    ),
    Claim(
        COMMENTS,
        r"\"(num_inference_steps|sd_model_hash|signed_hash|base_model_hash)\" ?:",
        "diffusers, NovelAI, Fooocus",
    ),
    Claim(COMMENTS, r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-", "Midjourney"),
    Claim(
        rf"{COMMENTS}|\w+ (caption|credit|title)",
        r"(?<!not )(?<!no )(?<!non-)\bAI[- ]generated\b|\b(made|created|generated) (with|by|using) "
        rf"((an )?AI\b|artificial intelligence|Google AI|adobe firefly|{GENERATORS})",
        "a sentence, such as the credit line that Google writes",
    ),
)


@dataclass(frozen=True)
class Credentials:
    """A file's content credentials: a C2PA manifest (Coalition for Content Provenance and Authenticity, c2pa.org).

    found: whether there is one; None where it was not looked for. note: what that means, in words.
    generator: the program that wrote the manifest. title: the file's. signer: who its certificate is made out to.
    actions: what was done to the file and to what it was made from, `c2pa.created, trainedAlgorithmicMedia, a program`.
    state: "Trusted", "Valid" or "Invalid", or nothing. problems: what failed when it was checked.
    """

    found: bool | None
    note: str
    generator: str = ""
    title: str = ""
    signer: str = ""
    actions: tuple[str, ...] = ()
    state: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """What a file says of its origin, as plain text that is untrusted and not escaped; `asdict` of it goes into JSON.

    tags: metadata by name, such as `EXIF Software`; see `aiface.provenance.tags.read_tags`. c2pa: its content
    credentials. says_generated: where it says that it was generated by AI or holds such parts: `EXIF Software:
    Midjourney`. See ABSENCE for what it means if there is none.
    """

    tags: dict[str, str]
    c2pa: Credentials
    says_generated: tuple[str, ...]


def read_provenance(path: str | Path) -> Provenance:
    """Read what an image's or a video's file says of its origin, without the network.

    A broken file, or one of another kind, has empty fields. Raises `DataError` if it can't be opened at all.
    """
    tags, c2pa = read_tags(path), read_credentials(path)
    found = [*_claims(tags.items()), *_claims(_as_tags(c2pa))]
    return Provenance({name: plain(text, SHOWN) for name, text in tags.items()}, c2pa, tuple(dict.fromkeys(found)))


def _claims(tags: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in tags:
        for claim in CLAIMS:
            found = re.fullmatch(claim.tags, name, re.IGNORECASE) and re.search(claim.text, text, re.IGNORECASE)
            if found:
                shown = text if found.start() < EXCERPT / 2 else f"... {text[found.start() :]}"
                yield f"{name}: {plain(shown, EXCERPT)}"
                break


def _as_tags(c2pa: Credentials) -> Iterator[tuple[str, str]]:
    doubt = " (but its signature does not hold)" if c2pa.state == "Invalid" else ""
    yield "C2PA generator", c2pa.generator + doubt
    for action in c2pa.actions:
        yield "C2PA action", action + doubt


# Content credentials


def read_credentials(path: str | Path) -> Credentials:
    """Read a file's C2PA manifest with c2pa-python, which validates it but here knows no trust list."""
    try:
        import c2pa
    except (ImportError, OSError):  # OSError: its own library doesn't load on this system
        return _unchecked(path)
    try:
        with open(path, "rb") as file, c2pa.Context.from_dict(OFFLINE) as context:
            reader = c2pa.Reader.try_create(file, context=context)
            if reader is None:
                return Credentials(False, "none found")
            with reader:
                return _credentials(json.loads(reader.json()))
    except c2pa.C2paError.NotSupported:
        return Credentials(False, "none found: no kind of file that can hold them")
    except Exception as error:  # a damaged file, or a manifest of another form than the specification's
        return Credentials(False, plain(f"none that can be read: {error}", SHOWN))


def _unchecked(path: str | Path) -> Credentials:
    """What a manifest's bytes say, without c2pa-python."""
    try:
        found = read_manifest(path)
    except Exception:  # a damaged file
        found = None
    if found is None:
        return Credentials(None, NOT_LOOKED_FOR)
    generator, actions = found
    return Credentials(
        True,
        UNCHECKED,
        plain(generator, SHOWN),
        actions=tuple(plain(action, SHOWN) for action in actions[:MOST_ACTIONS]),
    )


def _credentials(store: Mapping) -> Credentials:
    """What a manifest store, as c2pa-python gives it in JSON, says of a file."""
    manifests = store["manifests"]
    active = manifests[store["active_manifest"]]
    others = [manifest for manifest in manifests.values() if manifest is not active]
    state = plain(store.get("validation_state") or "", SHOWN)
    signature = active.get("signature_info") or {}
    signer = [signature.get(key) for key in ("common_name", "issuer")]
    return Credentials(
        True,
        STATES.get(state, "found, but not validated"),
        generator=plain(_generator(active), SHOWN),
        title=plain(active.get("title") or "", SHOWN),
        signer=plain(", ".join(dict.fromkeys(filter(None, signer))), SHOWN),
        actions=tuple(plain(action, SHOWN) for manifest in (active, *others) for action in _actions(manifest)),
        state=state,
        problems=tuple(plain(problem, SHOWN) for problem in _problems(store)),
    )


def _generator(manifest: Mapping) -> str:
    infos = manifest.get("claim_generator_info") or ()
    named = [f"{info.get('name', '')} {info.get('version', '')}".strip() for info in infos]
    return ", ".join(named) or str(manifest.get("claim_generator") or "")


def _actions(manifest: Mapping) -> Iterator[str]:
    for assertion in manifest.get("assertions") or ():
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            for action in assertion["data"].get("actions") or ():
                agent = action.get("softwareAgent") or ""
                agent = agent.get("name", "") if isinstance(agent, Mapping) else agent
                kind = str(action.get("digitalSourceType") or "").rpartition("/")[2]
                yield ", ".join(str(part) for part in (action.get("action"), kind, agent) if part)


def _problems(store: Mapping) -> Iterator[str]:
    """What failed, but for the signer's not being on a trust list, of which there is none here."""
    for status in store.get("validation_status") or ():
        if status.get("code") != "signingCredential.untrusted":
            yield f"{status.get('code', '')}: {status.get('explanation', '')}"
