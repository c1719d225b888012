//! The payloads that are sent.

/// Sizes drawn from a seed, the same on every run and for every subject.
#[derive(Clone, Debug)]
pub struct Mix {
    sizes: Vec<usize>,
    next: usize,
}

impl Mix {
    /// What is drawn from: orders, quotes and the like, each as often as the others.
    pub const SIZES: [usize; 4] = [16, 36, 68, 200];
    /// The longest payload.
    pub const LONGEST: usize = 200;
    /// Drawn in advance, so that no generator is measured; long enough that no predictor learns it.
    const DRAWN: usize = 4096;

    /// The sizes that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let sizes = (0..Self::DRAWN).map(|_| Self::SIZES[random.usize(..Self::SIZES.len())]).collect();
        Self { sizes, next: 0 }
    }

    /// One size only.
    pub fn of(size: usize) -> Self {
        Self { sizes: vec![size; Self::DRAWN], next: 0 }
    }

    /// The longest of them.
    pub fn longest(&self) -> usize {
        self.sizes.iter().copied().max().unwrap_or(0)
    }

    /// The next payload's size.
    #[inline]
    pub fn draw(&mut self) -> usize {
        let size = self.sizes[self.next % Self::DRAWN];
        self.next += 1;
        size
    }

    /// The bytes that a message takes in a link file and on a connection: a header of 16, and padding to 8.
    pub fn frame(payload: usize) -> usize {
        (payload + 16).next_multiple_of(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_sizes() {
        let [mut one, mut other, mut third] = [7, 7, 8].map(Mix::new);
        let draw = |mix: &mut Mix| (0..5000).map(|_| mix.draw()).collect::<Vec<_>>();
        let drawn = draw(&mut one);
        assert_eq!(drawn, draw(&mut other));
        assert_ne!(drawn, draw(&mut third));
        assert!(Mix::SIZES.iter().all(|size| drawn.contains(size)));
        assert_eq!(drawn.iter().max(), Some(&Mix::LONGEST));
    }

    #[test]
    fn a_frame_is_header_payload_and_padding() {
        assert_eq!(Mix::SIZES.map(Mix::frame), [32, 56, 88, 216]);
    }
}
