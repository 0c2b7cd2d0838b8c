using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text;
using TorchSharp;

namespace Marketplace.Kernels;

/// <summary>What a result's bytes depend on besides its inputs and recipe; recorded in the lineage.</summary>
/// <param name="Version">Version of the kernels' formulas and of libtorch.</param>
/// <param name="Device">cpu or cuda.</param>
/// <param name="InstructionSet">What libtorch and its BLAS choose their code by, such as <c>x64-avx512-GenuineIntel</c>.</param>
public sealed record KernelIdentity(string Version, string Device, string InstructionSet)
{
    /// <summary>Goes up with every change that may alter the bytes of a result.</summary>
    public const int Formulas = 2;

    /// <summary>The kernels of this process on a device.</summary>
    public static KernelIdentity Of(KernelDevice device) => new($"{Formulas}+libtorch-{torch.__version__}", device.Kind, Processor());

    /// <summary>As lineages and results show it.</summary>
    public override string ToString() => $"{Version} {Device} {InstructionSet}";

    private static string Processor()
    {
        var architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        return X86Base.IsSupported ? $"{architecture}-{Vectors()}-{Vendor()}" : architecture;
    }

    private static string Vectors() => (Vector512.IsHardwareAccelerated, Avx2.IsSupported && Fma.IsSupported) switch
    {
        (true, _) => "avx512",
        (_, true) => "avx2",
        _ => "sse",
    };

    // BLAS libraries take other paths on other makers' processors, whatever instructions they share.
    private static string Vendor()
    {
        var (_, b, c, d) = X86Base.CpuId(0, 0);
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([b, d, c]));
    }
}
