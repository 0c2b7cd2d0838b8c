using Marketplace.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels;

/// <summary>Where kernels compute, and in which precision: float64 on the CPU, float32 on CUDA, whose float64 units are few.</summary>
public sealed class KernelDevice
{
    private readonly Device device;
    private readonly ScalarType type;

    private KernelDevice(string kind, ScalarType type, double epsilon) =>
        (Kind, device, this.type, Epsilon) = (kind, torch.device(kind), type, epsilon);

    /// <summary>cpu or cuda, as lineages name it.</summary>
    public string Kind { get; }

    /// <summary>libtorch's name of it.</summary>
    internal Device Device => device;

    /// <summary>The distance from 1 to the next number of the precision.</summary>
    public double Epsilon { get; }

    /// <summary>The processor.</summary>
    public static KernelDevice Cpu { get; } = new("cpu", ScalarType.Float64, Math.BitIncrement(1d) - 1);

    /// <summary>The device of that kind; null where this process has none.</summary>
    public static KernelDevice? Find(string kind) => kind switch
    {
        "cpu" => Cpu,
        "cuda" when cuda.is_available() => new("cuda", ScalarType.Float32, MathF.BitIncrement(1f) - 1),
        _ => null,
    };

    /// <summary>
    /// Has the calling thread compute without helpers: libtorch's results change with its number of threads, so each module is
    /// computed by one, and modules side by side.
    /// </summary>
    public static void UseOneThread() => set_num_threads(1);

    /// <summary>Copies a matrix to the device; the tensor belongs to the current scope.</summary>
    public Tensor Upload(Matrix matrix) => Upload(matrix, type);

    /// <summary>Copies a matrix to the device in float32, which entries of ΔW are computed in.</summary>
    public Tensor UploadSingle(Matrix matrix) => Upload(matrix, ScalarType.Float32);

    /// <summary>The same tensor, or a copy, in the device's precision.</summary>
    public Tensor ToPrecision(Tensor tensor) => tensor.to(type, device);

    /// <summary>Copies a two-dimensional tensor back.</summary>
    public static Matrix Download(Tensor tensor)
    {
        var (rows, columns) = (checked((int)tensor.shape[0]), checked((int)tensor.shape[1]));
        var values = GC.AllocateUninitializedArray<double>(checked(rows * columns));
        CopyTo(tensor, values);
        return new Matrix(rows, columns, values);
    }

    /// <summary>Copies a one-dimensional tensor back.</summary>
    public static double[] DownloadVector(Tensor tensor)
    {
        var values = new double[tensor.numel()];
        CopyTo(tensor, values);
        return values;
    }

    private Tensor Upload(Matrix matrix, ScalarType to)
    {
        var host = empty(matrix.Rows, matrix.Columns, dtype: ScalarType.Float64);
        host.data<double>().CopyFrom(matrix.Values);
        if (to == ScalarType.Float64 && device.type == DeviceType.CPU)
            return host;
        using (host)
            return host.to(to, device);
    }

    private static void CopyTo(Tensor tensor, double[] values)
    {
        using var scope = NewDisposeScope();
        tensor.to(ScalarType.Float64, CPU).contiguous().data<double>().CopyTo(values);
    }
}
