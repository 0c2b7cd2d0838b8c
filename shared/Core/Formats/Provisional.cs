#pragma warning disable
// PROVISIONAL: stands in until the real one lands. Whoever lands AdapterReader / AdapterValidator deletes this file and adapts its callers (functions/Uploads/UploadValidation.cs, shared/Storage/Jobs).
namespace Marketplace.Core.Formats;
public static class AdapterReader
{
    public static Adapter Open(string config, string weights)
    {
        var c = AdapterConfig.Parse(File.ReadAllBytes(config)).Config!; var rules = new ModuleRules(c); var f = SafetensorsFile.Open(weights);
        Matrix M(string n) { var t = f.Find(n)!; return new Matrix((int)t.Shape[0], (int)t.Shape[1], f.ReadDouble(t)); }
        var mods = f.Tensors.Where(t => t.Name.EndsWith(".lora_A.weight")).Select(t => { var n = t.Name["base_model.model.".Length..^".lora_A.weight".Length]; var b = f.Find("base_model.model." + n + ".lora_B.weight")!; return new TargetModule(n, ModuleKind.Linear, (int)b.Shape[0], (int)t.Shape[1], (int)t.Shape[0], rules.Scaling(n)); });
        return new Adapter(c, mods, m => { var b = M($"base_model.model.{m.Name}.lora_B.weight"); for (var i = 0; i < b.Values.Length; i++) b.Values[i] *= m.Scaling; return new(b, M($"base_model.model.{m.Name}.lora_A.weight")); }, [], f);
    }
}
