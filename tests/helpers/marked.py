"""Small pictures that say where they come from."""

import numpy as np
from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/"
xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dc="http://purl.org/dc/elements/1.1/"
xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def xmp(attributes='xmp:CreatorTool="Some Tool 3"', elements=""):
    return XMP.format(attributes=attributes, elements=elements).encode()


def save(path, suffix="png", text=(), packet=None, exif=(), comment=None):
    """A small picture with PNG text chunks, an XMP packet, EXIF tags by number, or a comment."""
    path = path / f"picture.{suffix}"
    options = {}
    if exif:
        options["exif"] = Image.Exif()
        for number, value in dict(exif).items():
            block = options["exif"].get_ifd(IFD.Exif) if number == Base.UserComment else options["exif"]
            block[number] = value
    if suffix == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for name, value in dict(text).items():
            options["pnginfo"].add_itxt(name, value)
        if packet:
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.decode())
    elif packet:
        options["xmp"] = packet
    if comment:
        options["comment"] = comment
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(path, **options)
    return path
