import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// The API that the development server passes requests on to.
const api = process.env['TERARCHITECT_API'] ?? 'http://127.0.0.1:5010'

export default defineConfig({
  plugins: [react(), tailwind()],
  resolve: {
    alias: {
      '@': here('./src'),
      // The original adds a <style> element to the page, which our Content-Security-Policy forbids.
      'react-remove-scroll': here('./src/lib/remove-scroll.tsx'),
    },
  },
  build: {
    target: 'es2022',
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      // Names without hashes: the built files are committed, and the API serves them with an ETag.
      output: {
        entryFileNames: 'app.js',
        // Screens have their component's name; what several of them share is marked, so that names never clash.
        chunkFileNames: (chunk) => (chunk.isDynamicEntry ? '[name].js' : 'shared-[name].js'),
        assetFileNames: (asset) => (asset.names.some((name) => name.endsWith('.css')) ? 'app.css' : '[name][extname]'),
      },
    },
  },
  worker: { format: 'es', rollupOptions: { output: { entryFileNames: '[name].js' } } },
  server: { proxy: { '/api': api } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0])
