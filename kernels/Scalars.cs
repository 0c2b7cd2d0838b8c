using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels;

/// <summary>
/// Numbers as arguments of tensor operations. TorchSharp frees the native copy of a number as soon as the collector finds that nothing refers to it, which may
/// be while the native call still reads it: with several threads at work that does happen, once in many thousand calls. Here the last few numbers of each
/// thread are held on to. So numbers are never passed by implicit conversion, nor by overloads and operators that convert one inside.
/// </summary>
internal static class Scalars
{
    private const int Held = 64; // more than one operation takes

    [ThreadStatic]
    private static Scalar[]? recent;

    [ThreadStatic]
    private static int next;

    /// <summary>A number that lives through the next operation of this thread.</summary>
    public static Scalar Of(double value)
    {
        recent ??= new Scalar[Held];
        next = (next + 1) % Held;
        return recent[next] = value.ToScalar();
    }

    /// <summary>x += factor·y.</summary>
    public static Tensor Accumulate(this Tensor x, Tensor y, double factor = 1) => x.add_(y, Of(factor));

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, Of(1));

    /// <summary>x − y.</summary>
    public static Tensor Minus(this Tensor x, Tensor y) => x.add(y, Of(-1));

    /// <summary>The only entry of a tensor.</summary>
    public static T Only<T>(this Tensor x)
        where T : unmanaged
    {
        using var host = x.cpu();
        return host.data<T>()[0];
    }
}
