//! Plain loops compiled for the instruction set that is found at run time.

/// Defines functions whose bodies are compiled for every instruction set of `pulp` and run for the best one here.
///
/// The compiler vectorises the loops in them. A closure handed to `Arch::dispatch` would not do: it need not be
/// inlined, and then it is compiled for the oldest instruction set. A function that begins its arguments with `@simd;`
/// can name the instruction set itself.
macro_rules! vectorized {
    ($($(#[$attribute:meta])* $vis:vis fn $name:ident<$t:ident: $bound:path $(, const $n:ident: usize)?>($(@$simd:ident;)? $($arg:ident: $type:ty),* $(,)?) $(-> $output:ty)? $body:block)*) => {
        $($(#[$attribute])*
        $vis fn $name<$t: $bound $(, const $n: usize)?>($($arg: $type),*) $(-> $output)? {
            struct Call<Arguments $(, const $n: usize)?>(Arguments);
            impl<$t: $bound $(, const $n: usize)?> pulp::WithSimd for Call<($($type,)*) $(, $n)?> {
                type Output = vectorized!(@output $($output)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _instructions: S) -> Self::Output {
                    $(let $simd = _instructions;)?
                    let ($($arg,)*) = self.0;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Call::<_ $(, $n)?>(($($arg,)*)))
        })*
    };
    (@output) => { () };
    (@output $output:ty) => { $output };
}

pub(crate) use vectorized;
