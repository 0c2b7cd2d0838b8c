using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;

namespace Marketplace.Tests.Algebra;

/// <summary>Adapters and recorded tensors under tests/fixtures.</summary>
internal static class PeftFiles
{
    /// <summary>Reads a directory that PEFT wrote; linear modules only, without any of the reader's checks.</summary>
    public static Adapter Load(params string[] path)
    {
        var directory = Path.Combine([Fixtures.Root, .. path]);
        var config = AdapterConfig.Parse(File.ReadAllBytes(Path.Combine(directory, "adapter_config.json"))).Config!;
        var (rules, file) = (new ModuleRules(config), Open([.. path, "adapter_model.safetensors"]));
        var modules = file.Tensors.Where(t => t.Name.EndsWith(".lora_A.weight", StringComparison.Ordinal)).Select(a =>
        {
            var name = a.Name["base_model.model.".Length..^".lora_A.weight".Length];
            var b = file.Find(a.Name.Replace("lora_A", "lora_B", StringComparison.Ordinal))!;
            return new TargetModule(name, ModuleKind.Linear, (int)b.Shape[0], (int)a.Shape[1], rules.Rank(name), rules.Scaling(name));
        });
        return new Adapter(config, modules, m => Adapters.Scale(new(
            Matrix(file, $"base_model.model.{m.Name}.lora_B.weight"), Matrix(file, $"base_model.model.{m.Name}.lora_A.weight")), m.Scaling),
            owned: file);
    }

    public static SafetensorsFile Open(params string[] path) => SafetensorsFile.Open(Path.Combine([Fixtures.Root, .. path]));

    /// <summary>A tensor as a matrix: its last dimension gives the columns.</summary>
    public static Matrix Matrix(SafetensorsFile file, string name)
    {
        var tensor = file.Find(name) ?? throw new KeyNotFoundException(name);
        var columns = (int)tensor.Shape[^1];
        return new((int)(tensor.ElementCount / columns), columns, file.ReadDouble(tensor));
    }

    public static double[,] Dense(SafetensorsFile file, string name)
    {
        var matrix = Matrix(file, name);
        var result = new double[matrix.Rows, matrix.Columns];
        Buffer.BlockCopy(matrix.Values, 0, result, 0, sizeof(double) * matrix.Values.Length);
        return result;
    }
}
