using System.Globalization;
using System.Xml;

namespace Marketplace.Core.Drawing;

/// <summary>Elements of SVG, with every text escaped.</summary>
internal static class SvgXml
{
    /// <summary>SVG's namespace.</summary>
    public const string Namespace = "http://www.w3.org/2000/svg";

    /// <summary>A text at a place; spaces in it are kept.</summary>
    public static void Text(this XmlWriter xml, string style, double x, double y, string text, string anchor)
    {
        xml.WriteStartElement("text", Namespace);
        xml.Attributes(("class", style), ("x", N(x)), ("y", N(y)), ("text-anchor", anchor));
        xml.WriteAttributeString("xml", "space", null, "preserve");
        xml.WriteString(Clean(text));
        xml.WriteEndElement();
    }

    /// <summary>An element without content.</summary>
    public static void Element(this XmlWriter xml, string name, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        xml.WriteStartElement(name, Namespace);
        xml.Attributes(attributes);
        xml.WriteEndElement();
    }

    /// <summary>Attributes of the element that was begun.</summary>
    public static void Attributes(this XmlWriter xml, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        foreach (var (name, value) in attributes)
            xml.WriteAttributeString(name, value);
    }

    /// <summary>Without what XML can't hold at all, even escaped.</summary>
    public static string Clean(string text) => string.Concat(text.Select(c => XmlConvert.IsXmlChar(c) ? c : '\uFFFD'));

    /// <summary>A coordinate.</summary>
    public static string N(double number) => Math.Round(number, 1).ToString("0.#", CultureInfo.InvariantCulture);
}
